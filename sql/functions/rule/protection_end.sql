CREATE OR REPLACE FUNCTION lead_protection.protection_end(reached timestamptz, day_policy_id bigint)
RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN protection_end.day_policy_id IS NULL THEN protection_end.reached
        ELSE (
            SELECT
                CASE p.period_end
                    WHEN 'end_of_day' THEN (
                        CASE p.expiry_on
                            WHEN 'working_day' THEN lead_protection.next_working_day(p.calendar_id, local.day)
                            ELSE local.day
                        END + 1
                    )::timestamp AT TIME ZONE p.time_zone
                    ELSE protection_end.reached
                END
            FROM lead_protection.protection_policies AS p
            CROSS JOIN LATERAL (SELECT (protection_end.reached AT TIME ZONE p.time_zone)::date AS day) AS local
            WHERE p.id = protection_end.day_policy_id
        )
    END;
END;
$$;

COMMENT ON FUNCTION lead_protection.protection_end(timestamptz, bigint) IS
'When a protection ends whose clock reaches to an instant. day_policy_id: of lead_clocks; null: at that instant. By a '
'policy with period_end end_of_day: when the local day of that instant is over, the last protected day, or, with '
'expiry_on working_day, the next working day from there on.';
