CREATE OR REPLACE FUNCTION lead_protection.check_lead()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- As an ORM writes a row: what it has no value for is null, and not left out.
    IF TG_OP = 'INSERT' THEN
        new.created_at := coalesce(new.created_at, now());
    END IF;
    IF new.policy_id IS NULL THEN
        new.policy_id := lead_protection.policy_of_user(new.user_id);
        IF new.policy_id IS NULL THEN
            RAISE EXCEPTION 'lead % has no policy and there is no default policy', new.id
                USING ERRCODE = 'LP017',
                DETAIL = 'No row of lead_protection.protection_policies has is_default.',
                HINT = 'Give policy_id, or make one policy the default.';
        END IF;
    END IF;
    -- A change by hand that says nothing of the start: a user has the lead, or nobody has it, from now on only.
    IF
        TG_OP = 'UPDATE' AND (new.user_id IS NULL) <> (old.user_id IS NULL) AND new.closed_at IS NULL
        AND (new.created_at, new.changed_at) IS NOT DISTINCT FROM (old.created_at, old.changed_at)
    THEN
        new.created_at := clock_timestamp();
    END IF;
    -- What comes from an adopted table bears the instant of its coming; nobody else gives one.
    IF
        TG_OP = 'INSERT' AND new.changed_at IS NULL AND new.id < lead_protection.first_number_of_ours()
        AND EXISTS (
            SELECT FROM lead_protection.adoptions AS a WHERE a.keeps_numbers AND a.disowned_at IS NULL
        )
    THEN
        RAISE EXCEPTION 'lead % would have a number of the adopted table', new.id
            USING ERRCODE = 'LP065',
            DETAIL = 'The leads of that table keep their numbers: the company may use this one next.',
            HINT = format(
                'Leave id out, which gives a number from %s on; or insert the lead into the adopted table.',
                lead_protection.first_number_of_ours()
            );
    END IF;
    IF TG_OP = 'UPDATE' AND new.lead_key IS DISTINCT FROM old.lead_key THEN
        RAISE EXCEPTION 'the key of lead % never changes', new.id
            USING ERRCODE = 'LP011',
            DETAIL = format('It is %s.', coalesce(old.lead_key, 'its number')),
            HINT = 'A row of an adopted table that gets another key is another lead.';
    END IF;
    -- Within the allowed skew both are taken to be now: what happens to the lead next must not lie before its start or
    -- after its end.
    IF new.created_at > clock_timestamp() THEN
        PERFORM lead_protection.require_instant(new.created_at, 'the start of lead ' || new.id, may_be_ahead => false);
        new.created_at := clock_timestamp();
    END IF;
    IF new.closed_at > clock_timestamp() THEN
        PERFORM lead_protection.require_instant(new.closed_at, 'the closing of lead ' || new.id, may_be_ahead => false);
        new.closed_at := clock_timestamp();
    END IF;
    IF new.closed_at IS NULL THEN
        new.closed_as := NULL;
    END IF;
    RETURN new;
END;
$$;

COMMENT ON FUNCTION lead_protection.check_lead() IS
'Trigger: gives a lead the policy of its user, or else the default (LP017 if there is none), and refuses a start or a '
'closing that lies more than 5 minutes ahead (LP010, or LP005 from the year 3000 on); one that lies less ahead is '
'taken to be now, and so is a start of null at the insert. A free lead that gets a user by hand, or loses it, begins '
'anew. While a table is adopted whose leads keep their numbers, no other lead gets a number below 4 * 10^15 (LP065). '
'The lead''s key in an adopted table never changes (LP011).';

CREATE OR REPLACE TRIGGER check_lead
BEFORE INSERT OR UPDATE ON lead_protection.leads
FOR EACH ROW EXECUTE FUNCTION lead_protection.check_lead();
