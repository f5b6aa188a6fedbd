-- No object: gives the trigger functions of adopted tables, which are made with each of them, their present form.
SELECT lead_protection.make_note_taker(a)
FROM lead_protection.adoptions AS a
WHERE a.disowned_at IS NULL;
