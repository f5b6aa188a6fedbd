CREATE OR REPLACE FUNCTION lead_protection.exported_terms(policy_ids bigint[])
RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH policy AS (
        SELECT p.*
        FROM lead_protection.protection_policies AS p
        WHERE exported_terms.policy_ids IS NULL OR p.id = any(exported_terms.policy_ids)
    )

    SELECT
        jsonb_build_object(
            'policies', (
                SELECT
                    jsonb_object_agg(
                        p.id,
                        -- All but what moves no date: a new term is exported, and refused by who does not know it.
                        to_jsonb(p) - ARRAY[
                            'id', 'name', 'version', 'is_default', 'created_at', 'created_by', 'extension_limit_days',
                            'hold_limit_days', 'hold_total_limit_days', 'approval_by_another', 'texts_kept_days'
                        ]
                    )
                FROM policy AS p
            ),
            'calendars', (
                SELECT
                    jsonb_object_agg(
                        c.id,
                        jsonb_build_object(
                            'code', c.code, 'version', c.version, 'rest_days', c.rest_days,
                            'days', array(
                                SELECT to_char(d.date, 'YYYY-MM-DD')
                                FROM lead_protection.calendar_days AS d
                                WHERE d.calendar_id = c.id
                                ORDER BY d.date
                            )
                        )
                    )
                FROM lead_protection.calendars AS c
                WHERE c.id IN (SELECT p.calendar_id FROM policy AS p)
            ),
            'qualifying', (
                SELECT jsonb_agg(k.kind ORDER BY k.kind)
                FROM lead_protection.activity_kinds AS k
                WHERE k.qualifies
            )
        );
END;

COMMENT ON FUNCTION lead_protection.exported_terms(bigint[]) IS
'The terms of policies (null: of all), with the calendars that they name and the kinds of activity that qualify, as '
'data. Internal.';
