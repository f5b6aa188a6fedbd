CREATE OR REPLACE FUNCTION lead_protection.number_adopted_users(user_type text, user_keys text[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF number_adopted_users.user_type IN ('smallint', 'integer', 'bigint') THEN
        RETURN;
    END IF;
    -- Looked up first: a conflict would use up a number each time.
    INSERT INTO lead_protection.adopted_users (user_key)
    SELECT DISTINCT k.user_key
    FROM unnest(number_adopted_users.user_keys) AS k (user_key)
    WHERE
        k.user_key ~ '[^[:space:]]'
        AND NOT EXISTS (SELECT FROM lead_protection.adopted_users AS u WHERE u.user_key = k.user_key)
    ORDER BY k.user_key
    ON CONFLICT DO NOTHING;
END;
$$;

COMMENT ON FUNCTION lead_protection.number_adopted_users(text, text[]) IS
'Gives numbers, in adopted_users, to those of the users that have none; user_type: of the column that names them. '
'Nothing if that is an integer. Internal.';
