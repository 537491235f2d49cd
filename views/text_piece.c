/* Pieces of text: see text_piece.h.
 *
 * A piece is one spacing character with at most four combining marks, because that is what a curses cell can hold.
 * Sequences that some terminals join into one picture (emoji with joiners, flags) are shown as their parts: their width
 * is then the same everywhere, while a wrong guess would shift the rest of the line. Joiners and variation selectors
 * are dropped for the same reason. Everything that could move the cursor, hide text or change its direction becomes a
 * visible mark. */
#include "views/text_piece.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

enum { MAX_COMBINING = 4 };

/* ASCII stand-ins for the characters that views draw with; one cell each. */
static const struct {
    int32_t code;
    char ascii;
} ASCII_GLYPHS[] = {
    {0x2026, '~'}, /* ellipsis */
    {0x2500, '-'},  {0x2502, '|'},  {0x250c, '+'}, {0x2510, '+'}, {0x2514, '+'}, {0x2518, '+'}, {0x251c, '+'},
    {0x2524, '+'},  {0x252c, '+'},  {0x2534, '+'}, {0x253c, '+'}, {0x254c, '-'}, /* lines */
    {0x00b7, '.'},  {0x2022, '*'},  {0x25b2, '^'}, {0x25cc, '.'}, {0x25b6, '>'}, {0x2588, '#'}, {0x2591, '.'},
    {0x2190, '<'},  {0x2191, '^'},  {0x2192, '>'}, {0x2193, 'v'}, {0x21b5, '$'}, {0x2013, '-'}, {0x2014, '-'},
    {0x2018, '\''}, {0x2019, '\''}, {0x201c, '"'}, {0x201d, '"'}, {0x2212, '-'}, {0x00d7, 'x'}, {0x00b1, '~'},
    {0x03b2, 'b'},  {0x03b6, 'z'},  {0x0394, 'D'}, {0x03c0, 'p'}, {0x03b8, 'q'}, {0x03c6, 'f'}, {0x221a, 'v'},
};

static void set_mark(struct piece *p, const char *text, int width) {
    snprintf(p->text, sizeof p->text, "%s", text);
    p->width = width;
    p->mark = true;
}

static void set_code_mark(struct piece *p, int32_t code) {
    const int n = snprintf(p->text, sizeof p->text, code < 0x100 ? "<%02X>" : "<U+%04X>", (unsigned)code);
    p->width = n;
    p->mark = true;
}

static size_t control_piece(unsigned char byte, struct piece *p) {
    if (byte == '\n')
        set_mark(p, "↵", 1);
    else if (byte == '\t')
        set_mark(p, "→   ", 4);
    else {
        const char text[3] = {'^', (char)(byte ^ 0x40), '\0'}; /* caret notation: ^[ for escape, ^? for delete */
        set_mark(p, text, 2);
    }
    return 1;
}

/* Zero-width characters that belong to the one before. */
static bool is_combining(int32_t code) {
    const utf8proc_category_t category = utf8proc_category(code);
    if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME) return true;
    return utf8proc_charwidth(code) == 0 && (category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_LO);
}

/* Joiners and variation selectors: they say how to draw what is drawn anyway. */
static bool is_dropped(int32_t code) {
    return code == 0x200d || (code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0100 && code <= 0xe01ef);
}

/* Characters without a picture of their own, or that change how others are shown. */
static bool needs_mark(int32_t code) {
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return true;
    default: return utf8proc_charwidth(code) == 0 && !is_combining(code);
    }
}

/* Add the combining characters at s to p; returns the bytes they cover. */
static size_t take_combining(const char *s, size_t len, struct piece *p) {
    size_t used = 0, text = strlen(p->text);
    for (int n = 0; used < len;) {
        if ((unsigned char)s[used] < 0x80) break;
        utf8proc_int32_t code;
        const utf8proc_ssize_t k =
            utf8proc_iterate((const utf8proc_uint8_t *)s + used, (utf8proc_ssize_t)(len - used), &code);
        if (k <= 0 || !(is_combining(code) || is_dropped(code))) break;
        if (is_combining(code) && !is_dropped(code) && n < MAX_COMBINING && text + (size_t)k < sizeof p->text) {
            memcpy(p->text + text, s + used, (size_t)k);
            text += (size_t)k;
            p->text[text] = '\0';
            n++;
        }
        used += (size_t)k;
    }
    return used;
}

size_t text_piece(const char *s, size_t len, struct piece *p) {
    const unsigned char byte = (unsigned char)s[0];
    *p = (struct piece){.width = 1};
    if (byte < 0x20 || byte == 0x7f) return control_piece(byte, p);
    if (byte < 0x80) {
        p->text[0] = s[0];
        return len > 1 && (unsigned char)s[1] >= 0x80 ? 1 + take_combining(s + 1, len - 1, p) : 1;
    }
    utf8proc_int32_t code;
    const utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, &code);
    if (k <= 0) {
        set_code_mark(p, byte);
        return 1;
    }
    if (is_combining(code) && !is_dropped(code)) { /* nothing before it to sit on */
        memcpy(p->text, "◌", sizeof "◌");
        return take_combining(s, len, p);
    }
    if (needs_mark(code) || is_dropped(code)) {
        set_code_mark(p, code);
        return (size_t)k;
    }
    memcpy(p->text, s, (size_t)k);
    p->width = utf8proc_charwidth(code) > 1 ? 2 : 1;
    return (size_t)k + take_combining(s + k, len - (size_t)k, p);
}

static char ascii_for(int32_t code) {
    for (size_t i = 0; i < sizeof ASCII_GLYPHS / sizeof *ASCII_GLYPHS; i++)
        if (ASCII_GLYPHS[i].code == code) return ASCII_GLYPHS[i].ascii;
    utf8proc_int32_t parts[8]; /* accented letters lose their accents */
    int boundary = 0;
    const utf8proc_ssize_t n = utf8proc_decompose_char(code, parts, 8, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    return n >= 1 && n <= 8 && parts[0] > 0x20 && parts[0] < 0x7f ? (char)parts[0] : '?';
}

void piece_to_ascii(struct piece *p) {
    char out[sizeof p->text] = "";
    int n = 0;
    const size_t len = strlen(p->text);
    for (size_t i = 0; i < len && n < p->width;) {
        utf8proc_int32_t code;
        const utf8proc_ssize_t k =
            utf8proc_iterate((const utf8proc_uint8_t *)p->text + i, (utf8proc_ssize_t)(len - i), &code);
        if (k <= 0) break; /* cannot be: pieces are valid UTF-8 */
        if (!is_combining(code)) out[n++] = code < 0x80 ? (char)code : ascii_for(code);
        i += (size_t)k;
    }
    while (n < p->width) out[n] = n ? out[n - 1] : '?', n++;
    if (p->width > 1) p->mark = true; /* two one-cell characters now */
    memcpy(p->text, out, sizeof out);
}
