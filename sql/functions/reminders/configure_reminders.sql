CREATE OR REPLACE FUNCTION lead_protection.configure_reminders(
    reminders_per_run integer DEFAULT 10000,
    reminders_per_user integer DEFAULT 50,
    delivery_attempts integer DEFAULT 5,
    delivery_retry_delay interval DEFAULT INTERVAL '15 minutes'
)
RETURNS lead_protection.settings
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    configured lead_protection.settings;
BEGIN
    IF
        configure_reminders.reminders_per_run < 1 OR configure_reminders.reminders_per_user < 1
        OR coalesce(configure_reminders.delivery_attempts < 1, true)
        OR coalesce(
            configure_reminders.delivery_retry_delay NOT BETWEEN INTERVAL '1 second' AND INTERVAL '1 day', true
        )
    THEN
        RAISE EXCEPTION 'reminders cannot be configured like this'
            USING ERRCODE = 'LP043',
            DETAIL = format(
                'Given: reminders_per_run %L, reminders_per_user %L, delivery_attempts %L, delivery_retry_delay %L.',
                configure_reminders.reminders_per_run, configure_reminders.reminders_per_user,
                configure_reminders.delivery_attempts, configure_reminders.delivery_retry_delay
            ),
            HINT = 'The two limits are 1 or more, or null for none; delivery_attempts is 1 or more, '
            'delivery_retry_delay 1 second to 1 day. To send nothing at all: pause_protection().';
    END IF;
    UPDATE lead_protection.settings AS s
    SET
        reminders_per_run = configure_reminders.reminders_per_run,
        reminders_per_user = configure_reminders.reminders_per_user,
        delivery_attempts = configure_reminders.delivery_attempts,
        delivery_retry_delay = configure_reminders.delivery_retry_delay
    RETURNING s.* INTO configured;
    RETURN configured;
END;
$$;

COMMENT ON FUNCTION lead_protection.configure_reminders(integer, integer, integer, interval) IS
'Sets all four, for operators; what is left out gets its default. reminders_per_run: at most so many are sent by one '
'run of the pipeline, reminders_per_user: at most so many of them to one user (null: no limit); the rest is sent by '
'the next runs, the longest due first. delivery_attempts: how often a reminder is sent in all when its delivery fails; '
'delivery_retry_delay: the pause before the first repetition, doubled each time, up to a day.
Takes effect with the next run. Returns the settings. Repeated: the same. Error: LP043 a value out of range.';
