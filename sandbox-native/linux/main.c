/* rexec-sandbox: runs actions behind walls on behalf of one worker. See README.md. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "launcher.h"

enum { EXIT_USAGE = 2, LOW_DESCRIPTORS = 16 };

uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("rexec-sandbox: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/*
 * Everything we open must be above the few numbers that an init places its own on (init.c), and nothing that the
 * worker leaked into us may reach an action.
 */
static bool tidy_descriptors(void)
{
    if (close_range(3, ~0U, 0) < 0)
        return false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0)
        return false;
    while (null < LOW_DESCRIPTORS)
        if ((null = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0)
            return false;
    return true;
}

static int usage(void)
{
    complain("usage: rexec-sandbox --connect SOCKET | --probe | --bench-floor ROUNDS | --bench-run ROUNDS\n"
             "       [--uid N] [--gid N] [--slots N] [--system PATH]...");
    return EXIT_USAGE;
}

int main(int count, char **words)
{
    struct config config = { .action_uid = 1879048192, .action_gid = 1879048192, .slots = 256, .privileged = geteuid() == 0 };
    const char *mode = NULL, *operand = NULL;

    if (count == 2 && strcmp(words[1], "--true") == 0)
        return 0; /* what --bench-floor executes: the least that a static program can do */
    for (int i = 1; i < count; i++) {
        const char *word = words[i], *value = i + 1 < count ? words[i + 1] : NULL;
        if (strcmp(word, "--probe") == 0) {
            mode = word;
            continue;
        }
        if (!value)
            return usage();
        i++;
        if (strcmp(word, "--connect") == 0 || strncmp(word, "--bench-", 8) == 0)
            mode = word, operand = value;
        else if (strcmp(word, "--uid") == 0)
            config.action_uid = (uid_t)strtoul(value, NULL, 10);
        else if (strcmp(word, "--gid") == 0)
            config.action_gid = (gid_t)strtoul(value, NULL, 10);
        else if (strcmp(word, "--slots") == 0)
            config.slots = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(word, "--system") == 0 && value[0] == '/' && config.system_path_count < SYSTEM_PATHS_MAX)
            config.system_paths[config.system_path_count++] = value;
        else
            return usage();
    }
    if (!mode || config.slots == 0 || config.slots > 4096)
        return usage();
    if (config.system_path_count == 0) {
        static const char *const defaults[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt" };
        memcpy(config.system_paths, defaults, sizeof defaults);
        config.system_path_count = COUNT(defaults);
    }
    if (!tidy_descriptors()) {
        complain("descriptors: %s", strerror(errno));
        return 1;
    }

    /* Ctrl-C in the worker's terminal is for the worker: it may want to let running actions finish. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    umask(022);
    compile_filter();
    if (strcmp(mode, "--connect") == 0)
        return serve(&config, connect_to(operand));
    if (strcmp(mode, "--probe") == 0)
        return probe(&config);
    unsigned rounds = (unsigned)strtoul(operand, NULL, 10);
    if (rounds == 0 || rounds > 100000)
        return usage();
    return strcmp(mode, "--bench-floor") == 0 ? bench_floor(rounds)
        : strcmp(mode, "--bench-run") == 0    ? bench_run(&config, rounds)
                                              : usage();
}
