CREATE OR REPLACE FUNCTION lead_protection.number_adopted_users(
    source text, key_expression text, condition text, keys text[]
)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- What the SQL of the adoption says must not depend on whose session it is.
SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
-- The SQL was given and checked when the table was adopted, by whoever owns this schema.
-- @plpgsql_check_options: security_warnings = off, performance_warnings = off
BEGIN
    IF number_adopted_users.key_expression IS NOT NULL THEN
        -- Looked up first: a conflict would use up a number each time.
        EXECUTE format(
            'INSERT INTO lead_protection.adopted_users (user_key)'
            ' SELECT DISTINCT k.user_key FROM (SELECT %s AS user_key FROM %s AS s WHERE %s) AS k'
            -- A blank one is refused as a row without a user.
            ' WHERE k.user_key ~ ''[^[:space:]]'''
            ' AND NOT EXISTS (SELECT FROM lead_protection.adopted_users AS u WHERE u.user_key = k.user_key)'
            ' ORDER BY k.user_key ON CONFLICT DO NOTHING',
            number_adopted_users.key_expression, number_adopted_users.source, number_adopted_users.condition
        ) USING number_adopted_users.keys;
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.number_adopted_users(text, text, text, text[]) IS
'Gives numbers, in adopted_users, to the users of those rows of source (key_expression: SQL over a row s; condition: '
'which rows, $1 being keys). Nothing if key_expression is null. Internal.';
