CREATE OR REPLACE FUNCTION lead_protection.plain_line(line text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
    regexp_replace(
        plain_line.line,
        '[\u0001-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]',
        chr(65533), 'g'
    ),
    '[[:space:]]+', ' ', 'g'
);

COMMENT ON FUNCTION lead_protection.plain_line(text) IS
'A text that somebody entered, on one line, with a mark in the place of control characters: those that no page may '
'have, and those that turn the direction of what follows. Internal.';
