/* Plain events from JSON text to columns, without an object for each: the fast half of transforms/parse.

   Optional: where this file was not compiled, EventParser (events.py) reads every event, with the same results. It is
   also the reference of this one: whatever is not plainly good here (a schema that says no, an escape in an identifier,
   a number that another text says shorter, an alias, anything malformed) is *left* to it, untouched. So nothing is ever
   refused here, and nothing here has words for what is wrong. tests/parse/test_plain_events.py holds the two against
   each other.

   The text is scanned once into tokens; schema, instants and identifiers are looked up in them; what is kept of the
   text is copied once, into the buffers of Arrow's columns. The rules of the tracking plan come from plan_nodes.py.

   Bounds: every read of the text is below `end` (the bytes of a Python object, which end in a zero byte beyond it);
   objects and arrays nest MAX_DEPTH deep, an object has MAX_KEYS names, a message MAX_TOKENS tokens; beyond them a
   message is left. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { MAX_DEPTH = 48, MAX_KEYS = 64, MAX_TOKENS = 1 << 16, MAX_CACHED = 4096, MAX_CACHED_BYTES = 64, MAX_USUAL = 1 << 26 };

/* The kinds of values; as bits they are the types of a schema (plan_nodes.py has the same numbers). */
enum { OBJECT = 1, ARRAY = 2, STRING = 4, INTEGER = 8, FRACTION = 16, BOOLEAN = 32, NUL = 64 };

typedef struct {
    uint32_t start, end; /* its text, a string's without the quotes */
    uint32_t next;       /* the token after all that is inside */
    uint8_t kind;
    uint8_t rewritten; /* whether its compact text differs from the text as it stands */
    uint8_t escaped;   /* whether a string has escapes */
} Token;

typedef struct {
    uint8_t *key;
    Py_ssize_t length;
    int node;
    int required;
} Member;

typedef struct {
    int types; /* allowed kinds */
    int nonempty;
    int items;        /* the node of an array's elements, 0: any */
    PyObject *ask;    /* asked about the text of the value, or NULL */
    PyObject *agreed; /* texts that it has said yes to */
    Member *members;  /* a hash table, its size a power of two; key NULL: free */
    uint32_t mask;
    int required;
} Node;

typedef struct {
    PyObject *bytes; /* longer than what is in it */
    Py_ssize_t used;
    Py_ssize_t usual; /* how long it was the last time: what grows by and by is copied again and again */
} Buffer;

typedef struct {
    Buffer offsets, data, valid;
    Py_ssize_t nulls;
} Text;

enum { MESSAGE_ID, TYPE, NAME, USER_ID, ANONYMOUS_ID, GROUP_ID, PROPERTIES, TRAITS, CONTEXT, TEXTS };
enum { PLACE, TIMESTAMP, RECEIVED_AT, RECEIVED_VALID, NUMBERS };
enum { TRACK, IDENTIFY, PAGE, SCREEN, GROUP, TYPES };
static const char *const TYPE_NAMES[TYPES] = {"track", "identify", "page", "screen", "group"};

typedef struct {
    PyObject_HEAD
    Node *nodes;
    int node_count;
    int of_type[TYPES];   /* the node of a message of the type */
    Member *planned;      /* the node of a track message, by its event's name; a hash table */
    uint32_t planned_mask;
    int refuses_unplanned;
    PyObject *blocked; /* a tuple of bytes: lower case, without white space around */
    PyObject *instant; /* reads an instant that is not in the usual form */
    Py_ssize_t max_bytes;
    int64_t earliest, latest, ahead;
    Token *tokens;
    uint32_t token_count, token_room;
    Text texts[TEXTS];
    Buffer numbers[NUMBERS];
    PyObject *unplanned; /* the name of a track event without a schema -> how many there are */
    Py_ssize_t rows;
    long long held_bytes;
} Reader;

/* What a step comes to: go on, leave the message to the reference, or an error of Python's is set. */
typedef enum { FINE, LEAVE, FAILED } Result;

#define TRY(step) do { Result result_ = (step); if (result_ != FINE) return result_; } while (0)

/* ---- buffers ------------------------------------------------------------------------------------------------- */

static Result room(Buffer *buffer, Py_ssize_t more) {
    Py_ssize_t size = buffer->bytes ? PyBytes_GET_SIZE(buffer->bytes) : 0;
    if (more <= size - buffer->used) return FINE;
    if (more > PY_SSIZE_T_MAX / 4 || buffer->used > PY_SSIZE_T_MAX / 4) {
        PyErr_NoMemory();
        return FAILED;
    }
    Py_ssize_t wanted = buffer->used + more;
    wanted += wanted / 2 + 4096;
    if (!buffer->bytes) {
        if (wanted < buffer->usual) wanted = buffer->usual;
        buffer->bytes = PyBytes_FromStringAndSize(NULL, wanted);
        return buffer->bytes ? FINE : FAILED;
    }
    if (_PyBytes_Resize(&buffer->bytes, wanted) < 0) { /* the object is gone then, and NULL in its place */
        buffer->used = 0;
        return FAILED;
    }
    return FINE;
}

static uint8_t *at_end(Buffer *buffer) { return (uint8_t *)PyBytes_AS_STRING(buffer->bytes) + buffer->used; }

static Result append(Buffer *buffer, const void *data, Py_ssize_t size) {
    if (!size) return FINE;
    TRY(room(buffer, size));
    memcpy(at_end(buffer), data, (size_t)size);
    buffer->used += size;
    return FINE;
}

/* The bytes of a buffer, which is empty then. */
static PyObject *taken(Buffer *buffer) {
    PyObject *bytes = buffer->bytes;
    Py_ssize_t used = buffer->used;
    buffer->bytes = NULL;
    buffer->used = 0;
    buffer->usual = used < MAX_USUAL ? used + used / 16 : 0;
    if (!bytes) return PyBytes_FromStringAndSize(NULL, 0);
    if (_PyBytes_Resize(&bytes, used) < 0) return NULL;
    return bytes;
}

static void drop(Buffer *buffer) {
    Py_CLEAR(buffer->bytes);
    buffer->used = 0;
}

static Result text_ends(Text *text, int is_there) {
    int64_t end = text->data.used;
    uint8_t valid = (uint8_t)is_there;
    text->nulls += !is_there;
    TRY(append(&text->valid, &valid, 1));
    return append(&text->offsets, &end, sizeof end);
}

static Result add_text(Text *text, const void *data, Py_ssize_t size) {
    TRY(append(&text->data, data, size));
    return text_ends(text, 1);
}

/* ---- from text to tokens ------------------------------------------------------------------------------------- */

static const uint8_t *after_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* The place after one character that is not ASCII, or NULL: not UTF-8. */
static const uint8_t *after_character(const uint8_t *at, const uint8_t *end) {
    Py_ssize_t left = end - at;
#define CONTINUES(place) ((at[place] & 0xC0) == 0x80)
    if (at[0] >= 0xC2 && at[0] <= 0xDF) return left >= 2 && CONTINUES(1) ? at + 2 : NULL;
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        if (left < 3 || !CONTINUES(1) || !CONTINUES(2)) return NULL;
        if (at[0] == 0xE0 && at[1] < 0xA0) return NULL; /* could be said shorter */
        if (at[0] == 0xED && at[1] > 0x9F) return NULL; /* half of a pair */
        return at + 3;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        if (left < 4 || !CONTINUES(1) || !CONTINUES(2) || !CONTINUES(3)) return NULL;
        if (at[0] == 0xF0 && at[1] < 0x90) return NULL;
        if (at[0] == 0xF4 && at[1] > 0x8F) return NULL; /* beyond Unicode */
        return at + 4;
    }
#undef CONTINUES
    return NULL;
}

static int hex(const uint8_t *at) {
    int value = 0;
    for (int place = 0; place < 4; place++) {
        int c = at[place], digit;
        if (c >= '0' && c <= '9') digit = c - '0';
        else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        else return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The character of an escape that begins with `\u` at `at`; *length is how many bytes it takes. -1: none. */
static int32_t escaped_character(const uint8_t *at, const uint8_t *end, int *length) {
    if (end - at < 6) return -1;
    int32_t first = hex(at + 2);
    *length = 6;
    if (first < 0xD800 || first > 0xDFFF) return first; /* also -1 */
    if (first > 0xDBFF || end - at < 12 || at[6] != '\\' || at[7] != 'u') return -1;
    int32_t second = hex(at + 8);
    if (second < 0xDC00 || second > 0xDFFF) return -1;
    *length = 12;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

/* Eight bytes that are ASCII, no control character, no quote and no backslash. */
static int are_plain(uint64_t word) {
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
    return !((word | (word - ones * 0x20) | (quote - ones) | (slash - ones)) & high);
}

/* Scans the string whose first character is at `at`, after the quote; gives the place of the closing one. */
static const uint8_t *scan_string(Token *token, const uint8_t *at, const uint8_t *end) {
    for (;;) {
        uint64_t word;
        while (end - at >= 8 && (memcpy(&word, at, 8), are_plain(word))) at += 8;
        if (at >= end) return NULL;
        uint8_t c = *at;
        if (c == '"') return at;
        if (c < 0x20) return NULL;
        if (c == '\\') {
            token->escaped = 1;
            if (end - at < 2) return NULL;
            switch (at[1]) {
            case '"': case '\\': case 'b': case 'f': case 'n': case 'r': case 't': at += 2; break;
            case '/': token->rewritten = 1; at += 2; break;
            case 'u': {
                int length;
                if (escaped_character(at, end, &length) < 0) return NULL;
                token->rewritten = 1;
                at += length;
                break;
            }
            default: return NULL;
            }
        } else if (c < 0x80) {
            at++;
        } else if (!(at = after_character(at, end))) {
            return NULL;
        }
    }
}

static int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* Scans a number. Those that may be written in another way than they stand are left: whole ones of over 18 digits, -0,
   exponents, over 15 digits with a point (fewer say the shortest text themselves), and less than 0.0001. */
static const uint8_t *scan_number(Token *token, const uint8_t *at, const uint8_t *end) {
    const uint8_t *start = at;
    if (*at == '-') at++;
    const uint8_t *whole = at;
    while (at < end && is_digit(*at)) at++;
    Py_ssize_t digits = at - whole;
    if (!digits || digits > 18 || (digits > 1 && *whole == '0')) return NULL;
    int is_zero = *whole == '0';
    token->kind = INTEGER;
    if (at < end && *at == '.') {
        const uint8_t *fraction = ++at;
        while (at < end && is_digit(*at)) at++;
        if (at == fraction) return NULL;
        const uint8_t *last = at;
        while (last > fraction && last[-1] == '0') last--;
        token->kind = FRACTION;
        token->rewritten = last == fraction ? at - fraction > 1 : last != at;
        if (digits + (last - fraction) > 15) return NULL;
        if (is_zero && last > fraction) {
            const uint8_t *zeros = fraction;
            while (*zeros == '0') zeros++;
            if (zeros - fraction > 3) return NULL;
            is_zero = 0;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) return NULL;
    return is_zero && *start == '-' ? NULL : at;
}

static Token *new_token(Reader *reader) {
    if (reader->token_count == reader->token_room) {
        uint32_t wanted = reader->token_room ? reader->token_room * 2 : 256;
        Token *grown = wanted > MAX_TOKENS ? NULL : realloc(reader->tokens, wanted * sizeof(Token));
        if (!grown) return NULL; /* without memory, too, the message is left */
        reader->tokens = grown;
        reader->token_room = wanted;
    }
    Token *token = &reader->tokens[reader->token_count++];
    memset(token, 0, sizeof *token);
    return token;
}

static int is_repeated(const Reader *reader, const uint8_t *text, uint32_t object, uint32_t key) {
    const Token *tokens = reader->tokens, *one = &tokens[key];
    uint32_t length = one->end - one->start;
    int count = 0;
    for (uint32_t other = object + 1; other < key; other = tokens[other + 1].next) {
        const Token *found = &tokens[other];
        if (found->end - found->start == length && !memcmp(text + found->start, text + one->start, length)) return 1;
        if (++count >= MAX_KEYS) return 1; /* not known: the message is left */
    }
    return 0;
}

/* Scans one value at `at`, which is no white space; gives the place after it, or NULL: the message is left. */
static const uint8_t *scan_value(Reader *reader, const uint8_t *text, const uint8_t *at, const uint8_t *end, int depth) {
    uint32_t self = reader->token_count;
    Token *token = new_token(reader);
    if (!token || at >= end) return NULL;
    token->start = (uint32_t)(at - text);
    const uint8_t *start = at;
    switch (*at) {
    case '"':
        token->kind = STRING;
        token->start++;
        if (!(at = scan_string(token, at + 1, end))) return NULL;
        token->end = (uint32_t)(at - text);
        token->next = self + 1;
        return at + 1;
    case '{': case '[': {
        int is_object = *at == '{';
        uint8_t closing = is_object ? '}' : ']';
        int rewritten = 0;
        if (depth >= MAX_DEPTH) return NULL;
        token->kind = is_object ? OBJECT : ARRAY;
#define SKIP_SPACE() do { const uint8_t *to_ = after_space(at, end); rewritten |= to_ != at; at = to_; } while (0)
        at++;
        SKIP_SPACE();
        if (at < end && *at == closing) {
            at++;
        } else {
            for (;;) {
                if (is_object) {
                    uint32_t key = reader->token_count;
                    if (at >= end || *at != '"' || !(at = scan_value(reader, text, at, end, depth))) return NULL;
                    if (reader->tokens[key].escaped || is_repeated(reader, text, self, key)) return NULL;
                    SKIP_SPACE();
                    if (at >= end || *at != ':') return NULL;
                    at++;
                    SKIP_SPACE();
                }
                uint32_t value = reader->token_count;
                if (!(at = scan_value(reader, text, at, end, depth + 1))) return NULL;
                rewritten |= reader->tokens[value].rewritten;
                SKIP_SPACE();
                if (at >= end) return NULL;
                if (*at == closing) { at++; break; }
                if (*at != ',') return NULL;
                at++;
                SKIP_SPACE();
            }
        }
#undef SKIP_SPACE
        token = &reader->tokens[self]; /* they may have moved */
        token->rewritten = (uint8_t)rewritten;
        break;
    }
    case 't':
        if (end - at < 4 || memcmp(at, "true", 4)) return NULL;
        token->kind = BOOLEAN;
        at += 4;
        break;
    case 'f':
        if (end - at < 5 || memcmp(at, "false", 5)) return NULL;
        token->kind = BOOLEAN;
        at += 5;
        break;
    case 'n':
        if (end - at < 4 || memcmp(at, "null", 4)) return NULL;
        token->kind = NUL;
        at += 4;
        break;
    default:
        if (!(at = scan_number(token, start, end))) return NULL;
    }
    token->end = (uint32_t)(at - text);
    token->next = reader->token_count;
    return at;
}

/* ---- compact text -------------------------------------------------------------------------------------------- */

static Result append_string(Buffer *to, const uint8_t *at, const uint8_t *end) {
    TRY(room(to, end - at)); /* nothing gets longer: an escape is 6 bytes, what it stands for at most 6 */
    uint8_t *out = at_end(to), *begin = out;
    while (at < end) {
        if (at[0] != '\\') { *out++ = *at++; continue; }
        if (at[1] == '/') { *out++ = '/'; at += 2; continue; }
        if (at[1] != 'u') { *out++ = *at++; *out++ = *at++; continue; }
        int length;
        int32_t c = escaped_character(at, end, &length);
        at += length;
        if (c < 0x20) {
            const char *shorter = c == '\b' ? "\\b" : c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\f' ? "\\f"
                                : c == '\r' ? "\\r" : NULL;
            static const char digits[] = "0123456789abcdef";
            if (shorter) { *out++ = (uint8_t)shorter[0]; *out++ = (uint8_t)shorter[1]; }
            else {
                memcpy(out, "\\u00", 4);
                out[4] = (uint8_t)digits[c >> 4];
                out[5] = (uint8_t)digits[c & 15];
                out += 6;
            }
        } else if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (uint8_t)c;
        } else if (c < 0x80) {
            *out++ = (uint8_t)c;
        } else if (c < 0x800) {
            *out++ = (uint8_t)(0xC0 | (c >> 6));
            *out++ = (uint8_t)(0x80 | (c & 63));
        } else if (c < 0x10000) {
            *out++ = (uint8_t)(0xE0 | (c >> 12));
            *out++ = (uint8_t)(0x80 | ((c >> 6) & 63));
            *out++ = (uint8_t)(0x80 | (c & 63));
        } else {
            *out++ = (uint8_t)(0xF0 | (c >> 18));
            *out++ = (uint8_t)(0x80 | ((c >> 12) & 63));
            *out++ = (uint8_t)(0x80 | ((c >> 6) & 63));
            *out++ = (uint8_t)(0x80 | (c & 63));
        }
    }
    to->used += out - begin;
    return FINE;
}

/* The value as orjson would write it. */
static Result append_compact(const Reader *reader, Buffer *to, const uint8_t *text, uint32_t place) {
    const Token *token = &reader->tokens[place];
    const uint8_t *start = text + token->start, *end = text + token->end;
    if (token->kind == STRING) TRY(append(to, "\"", 1));
    if (!token->rewritten) {
        TRY(append(to, start, end - start));
    } else if (token->kind == STRING) {
        TRY(append_string(to, start, end));
    } else if (token->kind == FRACTION) {
        while (end[-1] == '0' && end[-2] != '.') end--;
        TRY(append(to, start, end - start));
    } else {
        int is_object = token->kind == OBJECT;
        TRY(append(to, is_object ? "{" : "[", 1));
        for (uint32_t at = place + 1; at < token->next; at = reader->tokens[at].next) {
            if (at > place + 1) TRY(append(to, ",", 1));
            if (is_object) {
                TRY(append_compact(reader, to, text, at));
                TRY(append(to, ":", 1));
                at++;
            }
            TRY(append_compact(reader, to, text, at));
        }
        TRY(append(to, is_object ? "}" : "]", 1));
    }
    return token->kind == STRING ? append(to, "\"", 1) : FINE;
}

/* ---- the tracking plan --------------------------------------------------------------------------------------- */

static uint32_t hash_of(const uint8_t *key, Py_ssize_t length) {
    uint32_t hash = 2166136261u;
    for (Py_ssize_t place = 0; place < length; place++) hash = (hash ^ key[place]) * 16777619u;
    return hash ^ (hash >> 15);
}

static const Member *member_of(const Member *table, uint32_t mask, const uint8_t *key, Py_ssize_t length) {
    if (!table) return NULL;
    for (uint32_t place = hash_of(key, length);; place++) {
        const Member *found = &table[place & mask];
        if (!found->key) return NULL;
        if (found->length == length && !memcmp(found->key, key, (size_t)length)) return found;
    }
}

static Result agrees(Node *node, const uint8_t *start, const uint8_t *end) {
    PyObject *text = PyBytes_FromStringAndSize((const char *)start, end - start);
    if (!text) return FAILED;
    Result result = FAILED;
    int known = PySet_Contains(node->agreed, text);
    if (known > 0) {
        result = FINE;
    } else if (known == 0) {
        PyObject *answer = PyObject_CallOneArg(node->ask, text);
        if (answer) {
            result = answer == Py_True ? FINE : LEAVE;
            Py_DECREF(answer);
            if (result == FINE && end - start <= MAX_CACHED_BYTES && PySet_GET_SIZE(node->agreed) < MAX_CACHED
                && PySet_Add(node->agreed, text) < 0)
                result = FAILED;
        }
    }
    Py_DECREF(text);
    return result;
}

static Result check(const Reader *reader, const uint8_t *text, uint32_t place, int number) {
    if (!number) return FINE;
    Node *node = &reader->nodes[number];
    const Token *token = &reader->tokens[place];
    if (!(token->kind & node->types)) return LEAVE;
    if (node->ask) {
        int quote = token->kind == STRING;
        TRY(agrees(node, text + token->start - quote, text + token->end + quote));
    }
    if (token->kind == STRING) return node->nonempty && token->start == token->end ? LEAVE : FINE;
    if (token->kind == ARRAY && node->items) {
        for (uint32_t at = place + 1; at < token->next; at = reader->tokens[at].next)
            TRY(check(reader, text, at, node->items));
    } else if (token->kind == OBJECT && node->members) {
        int required = 0;
        for (uint32_t at = place + 1; at < token->next; at = reader->tokens[at + 1].next) {
            const Token *key = &reader->tokens[at];
            const Member *member = member_of(node->members, node->mask, text + key->start, key->end - key->start);
            if (!member) continue;
            required += member->required;
            TRY(check(reader, text, at + 1, member->node));
        }
        if (required < node->required) return LEAVE;
    }
    return FINE;
}

/* ---- instants and identifiers -------------------------------------------------------------------------------- */

static int64_t digits(const uint8_t *at, int count) {
    int64_t value = 0;
    for (int place = 0; place < count; place++) {
        if (!is_digit(at[place])) return -1;
        value = value * 10 + (at[place] - '0');
    }
    return value;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; March is the first month, so that a leap day is the last. */
static int64_t days_until(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* `2026-02-20T10:00:00.123Z`, with up to six digits of the second; 0: not of that form. */
static int usual_instant(const uint8_t *at, Py_ssize_t length, int64_t *instant) {
    static const int64_t of_month[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (length < 20 || length > 27 || at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':'
        || at[length - 1] != 'Z')
        return 0;
    int64_t year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);
    int64_t hour = digits(at + 11, 2), minute = digits(at + 14, 2), second = digits(at + 17, 2), micros = 0;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > of_month[month - 1] || hour < 0 || hour > 23
        || minute < 0 || minute > 59 || second < 0 || second > 59)
        return 0;
    if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400))) return 0;
    if (length > 20) {
        int count = (int)length - 21;
        if (at[19] != '.' || !count || (micros = digits(at + 20, count)) < 0) return 0;
        for (; count < 6; count++) micros *= 10;
    }
    *instant = (((days_until(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000000 + micros;
    return 1;
}

static Result read_instant(const Reader *reader, const uint8_t *at, Py_ssize_t length, int64_t *instant) {
    if (usual_instant(at, length, instant)) return FINE;
    PyObject *found = PyObject_CallFunction(reader->instant, "s#", (const char *)at, length);
    if (!found) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) return FAILED;
        PyErr_Clear();
        return LEAVE;
    }
    *instant = PyLong_AsLongLong(found);
    Py_DECREF(found);
    return *instant == -1 && PyErr_Occurred() ? FAILED : FINE;
}

/* Whether an identifier surely names somebody. White space around it, and what another character may be in lower case,
   is Python's business. */
static Result names_somebody(const Reader *reader, const uint8_t *at, Py_ssize_t length) {
    for (Py_ssize_t place = 0; place < length; place++)
        if (at[place] >= 0x7F) return LEAVE;
    if (!length || at[0] <= ' ' || at[length - 1] <= ' ') return LEAVE;
    if (at[0] == '0' || at[0] == '-') {
        Py_ssize_t place = 0;
        while (place < length && (at[place] == '0' || at[place] == '-')) place++;
        if (place == length) return LEAVE;
    }
    for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(reader->blocked); number++) {
        PyObject *word = PyTuple_GET_ITEM(reader->blocked, number);
        if (PyBytes_GET_SIZE(word) != length) continue;
        const uint8_t *other = (const uint8_t *)PyBytes_AS_STRING(word);
        Py_ssize_t place = 0;
        for (; place < length; place++) {
            uint8_t c = at[place];
            if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != other[place]) break;
        }
        if (place == length) return LEAVE;
    }
    return FINE;
}

/* ---- one message --------------------------------------------------------------------------------------------- */

enum { F_MESSAGE_ID, F_TYPE, F_EVENT, F_NAME, F_USER_ID, F_ANONYMOUS_ID, F_GROUP_ID, F_TIMESTAMP, F_RECEIVED_AT,
       F_PROPERTIES, F_TRAITS, F_CONTEXT, FIELDS, FIRST_OBJECT = F_PROPERTIES };
static const char *const FIELD_NAMES[FIELDS] = {
    "messageId", "type", "event", "name", "userId", "anonymousId", "groupId", "timestamp", "receivedAt",
    "properties", "traits", "context"};
static size_t field_lengths[FIELDS];

/* The tokens of the fields that are read; 0: not there, or null. */
static Result find_fields(const Reader *reader, const uint8_t *text, uint32_t *fields) {
    const Token *tokens = reader->tokens;
    memset(fields, 0, FIELDS * sizeof *fields);
    for (uint32_t at = 1; at < tokens[0].next; at = tokens[at + 1].next) {
        size_t length = tokens[at].end - tokens[at].start;
        const Token *value = &tokens[at + 1];
        for (int field = 0; field < FIELDS; field++) {
            if (length != field_lengths[field] || memcmp(text + tokens[at].start, FIELD_NAMES[field], length)) continue;
            if (value->kind == NUL) break;
            if (value->kind != (field >= FIRST_OBJECT ? OBJECT : STRING) || value->escaped) return LEAVE;
            fields[field] = at + 1;
            break;
        }
    }
    return FINE;
}

static const Token *inside(const Reader *reader, const uint8_t *text, uint32_t object, const char *name) {
    const Token *tokens = reader->tokens;
    size_t length = strlen(name);
    for (uint32_t at = object + 1; at < tokens[object].next; at = tokens[at + 1].next)
        if (tokens[at].end - tokens[at].start == length && !memcmp(text + tokens[at].start, name, length))
            return &tokens[at + 1];
    return NULL;
}

static Result add_field(Reader *reader, int column, const uint8_t *text, uint32_t place) {
    const Token *token = &reader->tokens[place];
    if (!place) return text_ends(&reader->texts[column], 0);
    return add_text(&reader->texts[column], text + token->start, token->end - token->start);
}

static Result add_object(Reader *reader, int column, const uint8_t *text, uint32_t place) {
    if (place) TRY(append_compact(reader, &reader->texts[column].data, text, place));
    return text_ends(&reader->texts[column], place != 0);
}

static Result count_name(Reader *reader, const uint8_t *name, Py_ssize_t length) {
    PyObject *key = PyUnicode_DecodeUTF8((const char *)name, length, NULL);
    if (!key) return FAILED;
    PyObject *before = PyDict_GetItemWithError(reader->unplanned, key), *count = NULL;
    if (before || !PyErr_Occurred()) count = PyLong_FromLong((before ? PyLong_AsLong(before) : 0) + 1);
    int failed = !count || PyDict_SetItem(reader->unplanned, key, count) < 0;
    Py_DECREF(key);
    Py_XDECREF(count);
    return failed ? FAILED : FINE;
}

static Result read_message(Reader *reader, const uint8_t *text, Py_ssize_t length, int64_t place) {
    const uint8_t *end = text + length, *at = after_space(text, end);
    if (length > reader->max_bytes || at >= end || *at != '{') return LEAVE;
    reader->token_count = 0;
    if (!(at = scan_value(reader, text, at, end, 0)) || after_space(at, end) != end) return LEAVE;

    uint32_t fields[FIELDS];
    TRY(find_fields(reader, text, fields));
    const Token *tokens = reader->tokens;
#define START(field) (text + tokens[fields[field]].start)
#define LENGTH(field) ((Py_ssize_t)(tokens[fields[field]].end - tokens[fields[field]].start))
    if (!fields[F_TYPE] || !fields[F_MESSAGE_ID]) return LEAVE;
    int type = 0;
    while (type < TYPES && ((size_t)LENGTH(F_TYPE) != strlen(TYPE_NAMES[type])
                            || memcmp(START(F_TYPE), TYPE_NAMES[type], (size_t)LENGTH(F_TYPE))))
        type++;
    if (type == TYPES) return LEAVE; /* aliases, deletions and retracts travel as records */

    int node = reader->of_type[type], name = type == TRACK ? F_EVENT : F_NAME, is_unplanned = 0;
    if (type == TRACK) {
        if (!fields[F_EVENT]) return LEAVE;
        const Member *planned = member_of(reader->planned, reader->planned_mask, START(F_EVENT), LENGTH(F_EVENT));
        is_unplanned = !planned;
        if (planned) node = planned->node;
        else if (reader->refuses_unplanned) return LEAVE;
    }
    TRY(check(reader, text, 0, node));

    int64_t event_time = 0, received_at = 0;
    if (!fields[F_TIMESTAMP]) return LEAVE; /* then the time of receipt and the sender's clock say when */
    TRY(read_instant(reader, START(F_TIMESTAMP), LENGTH(F_TIMESTAMP), &event_time));
    if (fields[F_RECEIVED_AT]) {
        TRY(read_instant(reader, START(F_RECEIVED_AT), LENGTH(F_RECEIVED_AT), &received_at));
        if (event_time - received_at > reader->ahead) return LEAVE;
    }
    if (event_time < reader->earliest || event_time > reader->latest) return LEAVE;

    if (!fields[F_USER_ID] && !fields[F_ANONYMOUS_ID]) return LEAVE;
    if (fields[F_USER_ID]) TRY(names_somebody(reader, START(F_USER_ID), LENGTH(F_USER_ID)));
    if (fields[F_ANONYMOUS_ID]) TRY(names_somebody(reader, START(F_ANONYMOUS_ID), LENGTH(F_ANONYMOUS_ID)));

    uint32_t traits = fields[F_TRAITS], context = fields[F_CONTEXT];
    if (type == IDENTIFY && context && (!traits || tokens[traits].next == traits + 1)) {
        const Token *others = inside(reader, text, context, "traits");
        if (others && others->kind == OBJECT) return LEAVE; /* those of the context may stand for them */
    }

    /* From here on only memory can be missing. */
    if (is_unplanned) TRY(count_name(reader, START(F_EVENT), LENGTH(F_EVENT)));
    uint8_t is_received = fields[F_RECEIVED_AT] != 0;
    TRY(append(&reader->numbers[PLACE], &place, sizeof place));
    TRY(append(&reader->numbers[TIMESTAMP], &event_time, sizeof event_time));
    TRY(append(&reader->numbers[RECEIVED_AT], &received_at, sizeof received_at));
    TRY(append(&reader->numbers[RECEIVED_VALID], &is_received, 1));
    TRY(add_field(reader, MESSAGE_ID, text, fields[F_MESSAGE_ID]));
    TRY(add_text(&reader->texts[TYPE], TYPE_NAMES[type], (Py_ssize_t)strlen(TYPE_NAMES[type])));
    if ((type == TRACK || type == PAGE || type == SCREEN) && fields[name])
        TRY(add_field(reader, NAME, text, fields[name]));
    else
        TRY(add_text(&reader->texts[NAME], "", 0));
    TRY(add_field(reader, USER_ID, text, fields[F_USER_ID]));
    TRY(add_field(reader, ANONYMOUS_ID, text, fields[F_ANONYMOUS_ID]));
    TRY(add_field(reader, GROUP_ID, text, type == GROUP ? fields[F_GROUP_ID] : 0));
    TRY(add_object(reader, PROPERTIES, text, fields[F_PROPERTIES]));
    TRY(add_object(reader, TRAITS, text, traits));
    TRY(add_object(reader, CONTEXT, text, context));
    reader->rows++;
    reader->held_bytes += length;
    return FINE;
#undef START
#undef LENGTH
}

/* ---- the type ------------------------------------------------------------------------------------------------ */

static Result begin_columns(Reader *reader) {
    int64_t zero = 0;
    for (int column = 0; column < TEXTS; column++)
        if (!reader->texts[column].offsets.used) TRY(append(&reader->texts[column].offsets, &zero, sizeof zero));
    return FINE;
}

static void drop_columns(Reader *reader) {
    for (int column = 0; column < TEXTS; column++) {
        Text *text = &reader->texts[column];
        drop(&text->offsets);
        drop(&text->data);
        drop(&text->valid);
        text->nulls = 0;
    }
    for (int column = 0; column < NUMBERS; column++) drop(&reader->numbers[column]);
    if (reader->unplanned) PyDict_Clear(reader->unplanned);
    reader->rows = 0;
    reader->held_bytes = 0;
}

/* Adds one message, or itself to those that are left. */
static Result read_or_leave(Reader *reader, const uint8_t *text, Py_ssize_t length, PyObject *message, long long first,
                            Py_ssize_t number, PyObject *left) {
    Result result = text && length < INT32_MAX ? read_message(reader, text, length, first + number) : LEAVE;
    if (result != LEAVE) return result;
    PyObject *one = message ? Py_BuildValue("(nO)", number, message)
                            : Py_BuildValue("(ny#)", number, (const char *)text, length);
    result = one && PyList_Append(left, one) == 0 ? FINE : FAILED;
    Py_XDECREF(one);
    return result;
}

static PyObject *reader_read(Reader *reader, PyObject *args) {
    PyObject *messages;
    long long first;
    if (!PyArg_ParseTuple(args, "O!L:read", &PyList_Type, &messages, &first)) return NULL;
    if (begin_columns(reader) != FINE) return NULL;
    PyObject *left = PyList_New(0);
    if (!left) return NULL;
    for (Py_ssize_t number = 0; number < PyList_GET_SIZE(messages); number++) {
        PyObject *message = Py_NewRef(PyList_GET_ITEM(messages, number));
        int is_text = PyBytes_CheckExact(message);
        const uint8_t *text = is_text ? (const uint8_t *)PyBytes_AS_STRING(message) : NULL;
        Py_ssize_t length = is_text ? PyBytes_GET_SIZE(message) : 0;
        Result result = read_or_leave(reader, text, length, message, first, number, left);
        Py_DECREF(message);
        if (result == FAILED) { /* the columns may be of different lengths */
            drop_columns(reader);
            Py_DECREF(left);
            return NULL;
        }
    }
    return left;
}

/* The next line that is not blank, without its line break, at or after `at`; NULL: there is none. */
static const uint8_t *next_line(const uint8_t *at, const uint8_t *end, Py_ssize_t *length, const uint8_t **after) {
    while (at < end) {
        const uint8_t *line = at, *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) return NULL;
        at = *after = stop + 1;
        if (stop > line && stop[-1] == '\r') stop--;
        const uint8_t *place = line;
        while (place < stop && (*place == ' ' || (*place >= '\t' && *place <= '\r'))) place++;
        if (place == stop) continue;
        *length = stop - line;
        return line;
    }
    return NULL;
}

static PyObject *reader_read_lines(Reader *reader, PyObject *args) {
    PyObject *data;
    long long first;
    if (!PyArg_ParseTuple(args, "SL:read_lines", &data, &first)) return NULL;
    if (begin_columns(reader) != FINE) return NULL;
    PyObject *left = PyList_New(0);
    if (!left) return NULL;
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(data), *end = at + PyBytes_GET_SIZE(data), *line;
    Py_ssize_t number = 0, length;
    for (; (line = next_line(at, end, &length, &at)); number++) {
        if (read_or_leave(reader, line, length, NULL, first, number, left) == FAILED) {
            drop_columns(reader);
            Py_DECREF(left);
            return NULL;
        }
    }
    return Py_BuildValue("(nN)", number, left);
}

static PyObject *lines_at(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *data;
    Py_buffer wanted;
    if (!PyArg_ParseTuple(args, "Sy*:lines_at", &data, &wanted)) return NULL;
    const int64_t *places = wanted.buf;
    Py_ssize_t count = wanted.len / (Py_ssize_t)sizeof(int64_t), next = 0, number = 0, length;
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(data), *end = at + PyBytes_GET_SIZE(data), *line;
    PyObject *found = PyList_New(0);
    for (; found && (line = next_line(at, end, &length, &at)); number++) {
        for (; found && next < count && places[next] == number; next++) {
            PyObject *one = PyBytes_FromStringAndSize((const char *)line, length);
            if (!one || PyList_Append(found, one) < 0) Py_CLEAR(found);
            Py_XDECREF(one);
        }
    }
    PyBuffer_Release(&wanted);
    return found ? Py_BuildValue("(nN)", number, found) : NULL;
}

static PyObject *reader_take(Reader *reader, PyObject *Py_UNUSED(ignored)) {
    if (begin_columns(reader) != FINE) return NULL;
    PyObject *columns = PyTuple_New(NUMBERS + TEXTS);
    if (!columns) return NULL;
    Py_ssize_t rows = reader->rows;
    for (int column = 0; column < NUMBERS; column++) {
        PyObject *bytes = taken(&reader->numbers[column]);
        if (!bytes) goto failed;
        PyTuple_SET_ITEM(columns, column, bytes);
    }
    for (int column = 0; column < TEXTS; column++) {
        Text *text = &reader->texts[column];
        PyObject *offsets = taken(&text->offsets), *data = taken(&text->data), *valid = taken(&text->valid);
        PyObject *one = offsets && data && valid ? Py_BuildValue("(OOOn)", offsets, data, valid, text->nulls) : NULL;
        Py_XDECREF(offsets);
        Py_XDECREF(data);
        Py_XDECREF(valid);
        if (!one) goto failed;
        text->nulls = 0;
        PyTuple_SET_ITEM(columns, NUMBERS + column, one);
    }
    PyObject *unplanned = PyDict_Copy(reader->unplanned);
    if (!unplanned) goto failed;
    drop_columns(reader);
    return Py_BuildValue("(nNN)", rows, columns, unplanned);
failed:
    Py_DECREF(columns);
    drop_columns(reader);
    return NULL;
}

static void free_members(Member *table, uint32_t mask) {
    for (uint32_t place = 0; table && place <= mask; place++) free(table[place].key);
    free(table);
}

static void reader_dealloc(Reader *reader) {
    drop_columns(reader);
    for (int number = 0; number < reader->node_count; number++) {
        Py_XDECREF(reader->nodes[number].ask);
        Py_XDECREF(reader->nodes[number].agreed);
        free_members(reader->nodes[number].members, reader->nodes[number].mask);
    }
    free(reader->nodes);
    free_members(reader->planned, reader->planned_mask);
    free(reader->tokens);
    Py_XDECREF(reader->blocked);
    Py_XDECREF(reader->instant);
    Py_XDECREF(reader->unplanned);
    PyTypeObject *type = Py_TYPE(reader);
    type->tp_free((PyObject *)reader);
    Py_DECREF(type);
}

/* A hash table of [(name, number of a node, whether it is required), ...]. */
static int fill_members(PyObject *items, int node_count, Member **table, uint32_t *mask, int *required) {
    Py_ssize_t count = PyList_GET_SIZE(items);
    if (!count) return 0;
    uint32_t size = 4;
    while (size < (uint32_t)count * 2) size *= 2;
    if (!(*table = calloc(size, sizeof(Member)))) { PyErr_NoMemory(); return -1; }
    *mask = size - 1;
    for (Py_ssize_t number = 0; number < count; number++) {
        const char *key;
        Py_ssize_t length;
        int node, is_required;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(items, number), "y#ip", &key, &length, &node, &is_required)) return -1;
        if (node < 0 || node >= node_count) { PyErr_SetString(PyExc_ValueError, "no such node"); return -1; }
        uint32_t place = hash_of((const uint8_t *)key, length);
        while ((*table)[place & *mask].key) place++;
        Member *member = &(*table)[place & *mask];
        if (!(member->key = malloc((size_t)length + 1))) { PyErr_NoMemory(); return -1; }
        memcpy(member->key, key, (size_t)length);
        member->length = length;
        member->node = node;
        member->required = is_required;
        if (required) *required += is_required;
    }
    return 0;
}

static int fill_node(Node *node, PyObject *given, int node_count) {
    PyObject *ask, *members;
    if (!PyArg_ParseTuple(given, "ipiOO!", &node->types, &node->nonempty, &node->items, &ask, &PyList_Type, &members))
        return -1;
    if (node->items < 0 || node->items >= node_count) { PyErr_SetString(PyExc_ValueError, "no such node"); return -1; }
    if (ask != Py_None) {
        node->ask = Py_NewRef(ask);
        if (!(node->agreed = PySet_New(NULL))) return -1;
    }
    return fill_members(members, node_count, &node->members, &node->mask, &node->required);
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(keywords)) {
    PyObject *nodes, *planned, *blocked, *instant;
    int of_type[TYPES], refuses;
    Py_ssize_t max_bytes;
    long long earliest, latest, ahead;
    if (!PyArg_ParseTuple(args, "O!(iiiii)O!pO!OnLLL", &PyList_Type, &nodes, &of_type[0], &of_type[1], &of_type[2],
                          &of_type[3], &of_type[4], &PyList_Type, &planned, &refuses, &PyTuple_Type, &blocked, &instant,
                          &max_bytes, &earliest, &latest, &ahead))
        return NULL;
    Reader *reader = (Reader *)type->tp_alloc(type, 0); /* all zeros */
    if (!reader) return NULL;
    reader->blocked = Py_NewRef(blocked);
    reader->instant = Py_NewRef(instant);
    reader->refuses_unplanned = refuses;
    reader->max_bytes = max_bytes;
    reader->earliest = earliest;
    reader->latest = latest;
    reader->ahead = ahead;
    Py_ssize_t count = PyList_GET_SIZE(nodes);
    if (!(reader->unplanned = PyDict_New())) goto failed;
    if (count < 1 || count > INT32_MAX || !(reader->nodes = calloc((size_t)count, sizeof(Node)))) {
        PyErr_SetString(PyExc_ValueError, "no nodes, or too many");
        goto failed;
    }
    reader->node_count = (int)count;
    for (int number = 0; number < TYPES; number++) {
        if (of_type[number] < 0 || of_type[number] >= count) { PyErr_SetString(PyExc_ValueError, "no such node"); goto failed; }
        reader->of_type[number] = of_type[number];
    }
    for (Py_ssize_t number = 0; number < PyTuple_GET_SIZE(blocked); number++)
        if (!PyBytes_Check(PyTuple_GET_ITEM(blocked, number))) { PyErr_SetString(PyExc_TypeError, "blocked: bytes"); goto failed; }
    for (Py_ssize_t number = 0; number < count; number++)
        if (fill_node(&reader->nodes[number], PyList_GET_ITEM(nodes, number), (int)count) < 0) goto failed;
    if (fill_members(planned, (int)count, &reader->planned, &reader->planned_mask, NULL) < 0) goto failed;
    return (PyObject *)reader;
failed:
    Py_DECREF(reader);
    return NULL;
}

static PyObject *reader_held(Reader *reader, void *Py_UNUSED(closure)) { return PyLong_FromLongLong(reader->held_bytes); }

static PyMethodDef reader_methods[] = {
    {"read", (PyCFunction)reader_read, METH_VARARGS, "read(messages, first): adds the plain ones; gives the others, numbered."},
    {"read_lines", (PyCFunction)reader_read_lines, METH_VARARGS,
     "read_lines(data, first): the same of lines; also how many there are that are not blank."},
    {"take", (PyCFunction)reader_take, METH_NOARGS, "take(): how many rows there are, the buffers of their columns, and the names that no schema has, counted."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef reader_getset[] = {
    {"held_bytes", (getter)reader_held, NULL, "The bytes of the messages that the rows were read from.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot reader_slots[] = {
    {Py_tp_new, reader_new}, {Py_tp_dealloc, reader_dealloc}, {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_getset}, {0, NULL}};
static PyType_Spec reader_spec = {"transforms.parse._plain_events.Reader", sizeof(Reader), 0, Py_TPFLAGS_DEFAULT, reader_slots};

static int module_exec(PyObject *module) {
    for (int field = 0; field < FIELDS; field++) field_lengths[field] = strlen(FIELD_NAMES[field]);
    PyObject *type = PyType_FromSpec(&reader_spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "Reader", type);
    Py_DECREF(type);
    return failed;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};
static PyMethodDef module_methods[] = {
    {"lines_at", lines_at, METH_VARARGS,
     "lines_at(data, places): how many lines there are that are not blank, and those of some numbers, which are sorted."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef module_def = {PyModuleDef_HEAD_INIT, "_plain_events", NULL, 0, module_methods, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__plain_events(void) { return PyModuleDef_Init(&module_def); }
