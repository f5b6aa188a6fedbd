CREATE OR REPLACE FUNCTION lead_protection.adopted_user_id(user_type text, user_key text)
RETURNS bigint
LANGUAGE sql STABLE
RETURN CASE
    WHEN adopted_user_id.user_key IS NULL OR adopted_user_id.user_key !~ '[^[:space:]]' THEN NULL
    WHEN adopted_user_id.user_type IN ('smallint', 'integer', 'bigint') THEN adopted_user_id.user_key::bigint
    ELSE (
        SELECT u.user_id FROM lead_protection.adopted_users AS u
        WHERE u.user_key = adopted_user_id.user_key
    )
END;

COMMENT ON FUNCTION lead_protection.adopted_user_id(text, text) IS
'The number of a user whom a company names so; null: nobody, or one who has no number yet. user_type: of the column '
'that names them. Internal.';
