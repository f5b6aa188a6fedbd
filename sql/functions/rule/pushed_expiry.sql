CREATE OR REPLACE FUNCTION lead_protection.pushed_expiry(clock lead_protection.lead_clocks, as_of timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN pushed_expiry.clock.open_hold_from <= pushed_expiry.as_of
        THEN CASE
            WHEN pushed_expiry.clock.day_policy_id IS NULL AND lead_protection.is_plainly_held(pushed_expiry.clock)
                THEN lead_protection.plus_elapsed(
                    pushed_expiry.clock.protection_expires_at,
                    pushed_expiry.as_of - pushed_expiry.clock.open_hold_from
                )
            ELSE lead_protection.recounted_expiry(pushed_expiry.clock, pushed_expiry.as_of)
        END
    ELSE pushed_expiry.clock.protection_expires_at
END;

COMMENT ON FUNCTION lead_protection.pushed_expiry(lead_protection.lead_clocks, timestamptz) IS
'The expiry of a clock as if the open hold in force, if there is one, ended at as_of; a notice that is owed is left '
'out. Null: the lead is free.';
