-- Refused while a policy has such terms: its leads would get other dates.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM lead_protection.protection_policies AS p
        WHERE
            (p.period_end, p.hold_unit, p.remind_on, p.notice_counts_from) <> ('instant', 'elapsed', 'any_day', 'sent')
    ) THEN
        RAISE EXCEPTION 'a policy has terms that the release before does not know'
            USING ERRCODE = 'LP018', HINT = 'To go back would move the clocks of its leads.';
    END IF;
END;
$$;

ALTER TABLE lead_protection.lead_clocks DROP COLUMN day_policy_id;
ALTER TABLE lead_protection.protection_policies
DROP COLUMN period_end,
DROP COLUMN hold_unit,
DROP COLUMN expiry_on,
DROP COLUMN remind_on,
DROP COLUMN notice_counts_from,
DROP COLUMN calendar_id;
