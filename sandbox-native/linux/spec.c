/* Reads a RUN payload. Everything in it comes over a wire: no length is believed before it is checked. */
#include <string.h>

#include "launcher.h"

struct cursor {
    const char *at;
    size_t left;
    bool broken;
};

static const char *take(struct cursor *cursor, size_t bytes)
{
    if (cursor->broken || cursor->left < bytes) {
        cursor->broken = true;
        return NULL;
    }
    const char *taken = cursor->at;
    cursor->at += bytes;
    cursor->left -= bytes;
    return taken;
}

static uint32_t take_u32(struct cursor *cursor)
{
    uint32_t value = 0;
    const char *bytes = take(cursor, sizeof value);
    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return value;
}

static uint64_t take_u64(struct cursor *cursor)
{
    uint64_t value = 0;
    const char *bytes = take(cursor, sizeof value);
    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return value;
}

/* A string must end where its length says, neither earlier nor later. */
static const char *take_string(struct cursor *cursor)
{
    uint32_t bytes = take_u32(cursor);
    const char *text = take(cursor, (size_t)bytes + 1);
    if (text && strnlen(text, (size_t)bytes + 1) != bytes)
        cursor->broken = true;
    return cursor->broken ? "" : text;
}

/* Each string takes at least its length and its zero, so the count is bounded by what has arrived. */
static char **take_strings(struct cursor *cursor)
{
    uint32_t count = take_u32(cursor);
    if (count > cursor->left / 5)
        cursor->broken = true;
    if (cursor->broken)
        return NULL;
    char **strings = calloc((size_t)count + 1, sizeof *strings);
    if (!strings)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        strings[i] = (char *)take_string(cursor);
    return strings;
}

bool spec_parse(struct spec *spec, const char *payload, size_t bytes, const char **error)
{
    struct cursor cursor = { .at = payload, .left = bytes };
    *spec = (struct spec){ .walls = take_u32(&cursor), .payload = payload, .payload_bytes = bytes };
    spec->cpu_millicores = take_u32(&cursor);
    spec->memory_bytes = take_u64(&cursor);
    spec->processes_max = take_u32(&cursor);
    spec->open_files_max = take_u32(&cursor);
    spec->scratch_bytes = take_u64(&cursor);
    spec->stdout_max = take_u64(&cursor);
    spec->stderr_max = take_u64(&cursor);
    spec->timeout_us = take_u64(&cursor);
    spec->input_root = take_string(&cursor);
    spec->working_directory = take_string(&cursor);
    spec->host_name = take_string(&cursor);
    spec->arguments = take_strings(&cursor);
    spec->environment = take_strings(&cursor);

    if (cursor.broken || cursor.left)
        *error = "the spec is malformed";
    else if (!spec->arguments || !spec->environment)
        *error = "out of memory";
    else if (!spec->arguments[0] || !spec->arguments[0][0])
        *error = "the command names no program";
    else if ((spec->walls & WALL_ALWAYS) != WALL_ALWAYS || spec->walls & ~(uint32_t)WALL_ALL)
        *error = "the walls 'root' and 'processes' cannot be left out, and there are none but those known";
    else if (spec->input_root[0] != '/')
        *error = "the input root is not an absolute path";
    else if (spec->working_directory[0] == '/')
        *error = "the working directory is not relative to the input root";
    else if (strlen(spec->host_name) > 64) /* __NEW_UTS_LEN */
        *error = "the host name is longer than 64 bytes";
    else
        return true;
    spec_free(spec);
    return false;
}

void spec_free(struct spec *spec)
{
    free(spec->arguments);
    free(spec->environment);
    spec->arguments = spec->environment = NULL;
}
