CREATE OR REPLACE FUNCTION lead_protection.printable(page text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
    printable.page,
    '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f'
    '\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]',
    chr(65533), 'g'
);

COMMENT ON FUNCTION lead_protection.printable(text) IS
'A page with a mark in the place of control characters that somebody entered: those that no page may have, and those '
'that turn the direction of what follows. Internal.';
