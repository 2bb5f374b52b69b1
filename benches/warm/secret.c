/* The minimum with a keyring: reads the sealing key from the Secret Service over a plain session, without a library, in as few
   round trips as possible. It trusts the bus and checks no limits: it exists only for the comparison. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVICE "org.freedesktop.secrets"
#define ROOT "/org/freedesktop/secrets"

static unsigned char out[8192], in[65536];
static size_t out_length, in_length;
static uint32_t serial;

struct text { unsigned char bytes[2048]; size_t length; };

static void pad(struct text *to, size_t to_what) { while (to->length % to_what) to->bytes[to->length++] = 0; }

static void number(struct text *to, uint32_t value)
{
    pad(to, 4);
    memcpy(to->bytes + to->length, &value, 4);
    to->length += 4;
}

static void string(struct text *to, const char *value)
{
    number(to, (uint32_t)strlen(value));
    memcpy(to->bytes + to->length, value, strlen(value) + 1);
    to->length += strlen(value) + 1;
}

static void signature(struct text *to, const char *value)
{
    to->bytes[to->length++] = (unsigned char)strlen(value);
    memcpy(to->bytes + to->length, value, strlen(value) + 1);
    to->length += strlen(value) + 1;
}

static void field(struct text *to, unsigned char code, const char *type, const char *value)
{
    pad(to, 8);
    to->bytes[to->length++] = code;
    signature(to, type);
    *type == 'g' ? signature(to, value) : string(to, value);
}

static uint32_t call(const char *to, const char *path, const char *interface, const char *member,
                     const char *type, const struct text *body)
{
    struct text message = {{'l', 1, 0, 1}, 4};
    number(&message, body ? (uint32_t)body->length : 0);
    number(&message, ++serial);
    size_t place = message.length;
    number(&message, 0);
    field(&message, 1, "o", path);
    field(&message, 2, "s", interface);
    field(&message, 3, "s", member);
    field(&message, 6, "s", to);
    if (body)
        field(&message, 8, "g", type);
    uint32_t fields = (uint32_t)(message.length - place - 4);
    memcpy(message.bytes + place, &fields, 4);
    pad(&message, 8);
    memcpy(out + out_length, message.bytes, message.length);
    out_length += message.length;
    if (body) {
        memcpy(out + out_length, body->bytes, body->length);
        out_length += body->length;
    }
    return serial;
}

static void more(int bus)
{
    ssize_t length = read(bus, in + in_length, sizeof in - in_length);
    if (length <= 0)
        exit(1);
    in_length += (size_t)length;
}

static uint32_t at(size_t place)
{
    uint32_t value;
    memcpy(&value, in + place, 4);
    return value;
}

/* The body of the answer to a call. Earlier messages are dropped. */
static unsigned char *answer(int bus, uint32_t to)
{
    static unsigned char body[65536];
    for (;;) {
        while (in_length < 16)
            more(bus);
        size_t head = (16 + at(12) + 7) / 8 * 8, whole = head + at(4);
        while (in_length < whole)
            more(bus);
        int is_it = 0;
        for (size_t place = 16; place + 8 <= head; place += 4)
            is_it |= in[place] == 5 && in[place + 1] == 1 && in[place + 2] == 'u' && at(place + 4) == to;
        if (is_it && in[1] != 2) {
            fprintf(stderr, "call %u: %s", to, whole > head ? (char *)in + head + 4 : "an error");
            exit(2);
        }
        memcpy(body, in + head, whole - head);
        memmove(in, in + whole, in_length -= whole);
        if (is_it)
            return body;
    }
}

static void say(int bus)
{
    if (write(bus, out, out_length) != (ssize_t)out_length)
        exit(1);
    out_length = 0;
}

int main(void)
{
    const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
    if (!address || strncmp(address, "unix:path=", 10))
        return 3;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, address + 10, strcspn(address + 10, ",;"));
    int bus = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(bus, (struct sockaddr *)&name, sizeof name))
        return 3;

    char user[16], line[64] = "\0AUTH EXTERNAL ";
    size_t length = 15;
    snprintf(user, sizeof user, "%u", geteuid());
    for (char *digit = user; *digit; digit++)
        length += (size_t)sprintf(line + length, "%02x", *digit);
    length += (size_t)sprintf(line + length, "\r\nBEGIN\r\n");
    memcpy(out, line, length);
    out_length = length;

    struct text plain = {{0}, 0}, attributes = {{0}, 0}, session_alone = {{0}, 0};
    string(&plain, "plain");
    signature(&plain, "s");
    string(&plain, "");
    number(&attributes, 0);
    pad(&attributes, 8);
    string(&attributes, "service");
    string(&attributes, "bedrock-sso");
    pad(&attributes, 8);
    string(&attributes, "account");
    string(&attributes, "sealing-key");
    uint32_t inside = (uint32_t)attributes.length - 8;
    memcpy(attributes.bytes, &inside, 4);

    struct text default_alias = {{0}, 0};
    string(&default_alias, "default");
    call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", NULL);
    call(SERVICE, ROOT, "org.freedesktop.Secret.Service", "ReadAlias", "s", &default_alias);
    uint32_t opening = call(SERVICE, ROOT, "org.freedesktop.Secret.Service", "OpenSession", "sv", &plain);
    uint32_t search = call(SERVICE, ROOT, "org.freedesktop.Secret.Service", "SearchItems", "a{ss}", &attributes);
    say(bus);
    while (in_length < 3 || !memmem(in, in_length, "\r\n", 2))
        more(bus);
    size_t end = (size_t)((unsigned char *)memmem(in, in_length, "\r\n", 2) - in) + 2;
    memmove(in, in + end, in_length -= end);

    /* A variant with an empty string, then the session's path. */
    string(&session_alone, (char *)answer(bus, opening) + 16);
    char item[256];
    unsigned char *found = answer(bus, search);
    if (*(uint32_t *)found == 0)
        return 4;
    snprintf(item, sizeof item, "%s", (char *)found + 8);
    uint32_t asked = call(SERVICE, item, "org.freedesktop.Secret.Item", "GetSecret", "o", &session_alone);
    say(bus);
    unsigned char *body = answer(bus, asked);
    uint32_t size;
    memcpy(&size, body, 4);
    size_t place = (4 + size + 1 + 3) / 4 * 4;
    memcpy(&size, body + place, 4);
    place = (place + 4 + size + 3) / 4 * 4;
    memcpy(&size, body + place, 4);
    return write(1, body + place + 4, size) != (ssize_t)size;
}
