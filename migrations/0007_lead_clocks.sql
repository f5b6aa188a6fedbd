-- The cache of clocks: one row a lead, indexed by what falls due.
-- depends: 0003_leads

CREATE TABLE lead_protection.lead_clocks (
    lead_id bigint CONSTRAINT lead_clocks_pkey PRIMARY KEY
    CONSTRAINT lead_clocks_lead_id_fkey REFERENCES lead_protection.leads (id) ON DELETE CASCADE,
    user_id bigint NOT NULL,
    policy_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    closed_at timestamptz,
    base_expires_at timestamptz NOT NULL,
    stops tstzmultirange NOT NULL,
    open_hold_from timestamptz,
    runs_from timestamptz NOT NULL,
    protection_expires_at timestamptz NOT NULL,
    window_date date NOT NULL,
    reminder_due_at timestamptz NOT NULL,
    reminded_at timestamptz,
    reminded_window date,
    expired_at timestamptz,
    CONSTRAINT lead_clocks_expires_after_start CHECK (
        protection_expires_at >= base_expires_at AND base_expires_at > started_at
    ),
    CONSTRAINT lead_clocks_open_hold_stops CHECK ((open_hold_from IS NOT NULL) = (runs_from = 'infinity'))
);

CREATE INDEX lead_clocks_expiry ON lead_protection.lead_clocks (protection_expires_at);
CREATE INDEX lead_clocks_user_expiry ON lead_protection.lead_clocks (user_id, protection_expires_at);
CREATE INDEX lead_clocks_stopped ON lead_protection.lead_clocks (runs_from) WHERE runs_from > started_at;

-- lead_id makes the order of the work list the order of this index and of no other, whatever the statistics say.
CREATE INDEX lead_clocks_to_remind ON lead_protection.lead_clocks (reminder_due_at, lead_id)
WHERE closed_at IS NULL AND expired_at IS NULL AND (reminded_at IS NULL OR reminded_at < reminder_due_at);

CREATE INDEX lead_clocks_to_expire ON lead_protection.lead_clocks (protection_expires_at, lead_id)
WHERE closed_at IS NULL AND expired_at IS NULL;

CREATE INDEX lead_clocks_moved ON lead_protection.lead_clocks (lead_id)
WHERE closed_at IS NULL
AND (
    expired_at < protection_expires_at
    OR (expired_at IS NOT NULL AND open_hold_from IS NOT NULL)
    OR reminded_window < window_date
);

COMMENT ON TABLE lead_protection.lead_clocks IS
'Cache: derive_lead_clocks() of every lead, kept by triggers on the facts in the same transaction. Holds nothing that the facts do not say; nobody but refresh_lead_clocks() writes it, and the nightly job proves that it equals the rule. A row needs no refresh as time passes: clock_at() and protection_state() add the time.';
COMMENT ON COLUMN lead_protection.lead_clocks.lead_id IS 'The lead.';
COMMENT ON COLUMN lead_protection.lead_clocks.user_id IS 'The protected user.';
COMMENT ON COLUMN lead_protection.lead_clocks.policy_id IS 'The terms.';
COMMENT ON COLUMN lead_protection.lead_clocks.started_at IS 'When the protection began.';
COMMENT ON COLUMN lead_protection.lead_clocks.closed_at IS 'When the lead was closed; null: it is not.';
COMMENT ON COLUMN lead_protection.lead_clocks.base_expires_at IS 'Start plus the policy''s months and days, before any stop.';
COMMENT ON COLUMN lead_protection.lead_clocks.stops IS 'The holds with an end, merged, from the start on.';
COMMENT ON COLUMN lead_protection.lead_clocks.open_hold_from IS 'Where the open hold stops the clock; null: no open hold, or one that begins too late to count.';
COMMENT ON COLUMN lead_protection.lead_clocks.runs_from IS 'From here on no known stop is left; infinity while an open hold stands.';
COMMENT ON COLUMN lead_protection.lead_clocks.protection_expires_at IS 'The expiry with all stops that have an end. The expiry itself, except while an open hold pushes it.';
COMMENT ON COLUMN lead_protection.lead_clocks.window_date IS 'The reminder window: local date of protection_expires_at.';
COMMENT ON COLUMN lead_protection.lead_clocks.reminder_due_at IS 'When the reminder for that window falls due.';
COMMENT ON COLUMN lead_protection.lead_clocks.reminded_at IS 'When the user was last reminded of this lead.';
COMMENT ON COLUMN lead_protection.lead_clocks.reminded_window IS 'The last window that was announced and not taken back by a reactivation, or the present one.';
COMMENT ON COLUMN lead_protection.lead_clocks.expired_at IS 'The expiry that stands recorded; null: none.';
COMMENT ON INDEX lead_protection.lead_clocks_expiry IS 'Lists by expiry.';
COMMENT ON INDEX lead_protection.lead_clocks_user_expiry IS 'One user''s leads, and their lists by expiry.';
COMMENT ON INDEX lead_protection.lead_clocks_stopped IS 'The few clocks that stand still, will, or did: what is_on_hold() asks for.';
COMMENT ON INDEX lead_protection.lead_clocks_to_remind IS 'What send_due_reminders() has to do.';
COMMENT ON INDEX lead_protection.lead_clocks_to_expire IS 'What record_expiries() has to do.';
COMMENT ON INDEX lead_protection.lead_clocks_moved IS 'What record_reactivations() has to look at.';
