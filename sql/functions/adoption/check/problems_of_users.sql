CREATE OR REPLACE FUNCTION lead_protection.problems_of_users(source regclass, user_column name)
RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT array_agg(
    format(
        'user_column %s: users are %s there, and %s in the adopted table of leads %s: they could not be told apart.',
        problems_of_users.user_column, CASE WHEN u.key_expression IS NULL THEN 'numbers' ELSE 'names' END,
        CASE WHEN a.user_expression IS NULL THEN 'numbers' ELSE 'names' END, a.source
    )
)
FROM lead_protection.adopted_user(problems_of_users.source, problems_of_users.user_column) AS u
CROSS JOIN lead_protection.adoptions AS a
WHERE a.kind = 'leads' AND a.disowned_at IS NULL AND (u.key_expression IS NULL) <> (a.user_expression IS NULL)
$$;

COMMENT ON FUNCTION lead_protection.problems_of_users(regclass, name) IS
'What is wrong with a column of users: they must be named as in the adopted table of leads, by numbers in both or by '
'texts in both. Null: nothing. Internal.';
