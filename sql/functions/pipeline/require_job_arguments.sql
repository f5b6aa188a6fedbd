CREATE OR REPLACE FUNCTION lead_protection.require_job_arguments(
    as_of timestamptz, batch_size integer, keep interval DEFAULT INTERVAL '90 days'
)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF require_job_arguments.as_of > clock_timestamp() OR NOT isfinite(require_job_arguments.as_of) THEN
        RAISE EXCEPTION 'the pipeline cannot run as of %', coalesce(
            lead_protection.instant_text(require_job_arguments.as_of), require_job_arguments.as_of::text
        )
            USING ERRCODE = 'LP013',
            DETAIL = format('It is now %s.', lead_protection.instant_text(clock_timestamp())),
            HINT = 'What it sends cannot be taken back. To look ahead, use protection_as_of(as_of).';
    END IF;
    IF coalesce(require_job_arguments.batch_size NOT BETWEEN 1 AND 1000000, true) THEN
        RAISE EXCEPTION 'batch_size must be 1 to 1000000'
            USING ERRCODE = 'LP016',
            DETAIL = format('Given: %s.', coalesce(require_job_arguments.batch_size::text, 'null')),
            HINT = 'It is how many leads of each kind one transaction handles; leave it out for 1000.';
    END IF;
    -- Beyond the upper bound the instant that lies so far back would be none.
    IF coalesce(require_job_arguments.keep NOT BETWEEN INTERVAL '30 days' AND INTERVAL '1000 years', true) THEN
        RAISE EXCEPTION 'history must be kept for 30 days to 1000 years'
            USING ERRCODE = 'LP016',
            DETAIL = format('Given: %s.', coalesce(require_job_arguments.keep::text, 'null')),
            HINT = 'Leave keep out for 90 days.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection.require_job_arguments(timestamptz, integer, interval) IS
'Raises LP013 if as_of lies in the future or is infinite (null: now, which is fine), LP016 if batch_size is null or '
'not 1 to 1000000, and LP016 if keep is null, shorter than 30 days or longer than 1000 years. Internal: the jobs and '
'the adoption ask it once; what they call does not ask again.';
