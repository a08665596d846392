/*
 * --bench-floor N: what the kernel alone takes to clone into all namespaces, execute a static program and reap it.
 * --bench-run N:   the same program through all walls of a launcher, from the spec to its report over a socket.
 * Both print "p50 p90 p99 max min" in microseconds.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "launcher.h"

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void print_percentiles(uint32_t *samples, unsigned count)
{
    qsort(samples, count, sizeof *samples, compare);
    printf("%u %u %u %u %u\n", samples[count / 2], samples[count * 9 / 10], samples[count * 99 / 100], samples[count - 1], samples[0]);
}

static bool floor_once(void)
{
    static const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC
        | CLONE_NEWUTS | CLONE_NEWCGROUP;
    static char *const words[] = { "true", "--true", NULL };
    struct clone_args arguments = { .flags = namespaces, .exit_signal = SIGCHLD };
    int status;
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        execve("/proc/self/exe", words, words + 2);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int bench_floor(unsigned rounds)
{
    auto_free uint32_t *samples = calloc(rounds, sizeof *samples);
    for (unsigned i = 0; samples && i < rounds; i++) {
        uint64_t start = now_us();
        if (!floor_once()) {
            complain("clone: %s", strerror(errno));
            return 1;
        }
        samples[i] = (uint32_t)(now_us() - start);
        usleep(2000); /* an idle machine: the kernel takes network namespaces down in the background */
    }
    if (samples)
        print_percentiles(samples, rounds);
    return samples ? 0 : 1;
}

/* A RUN frame for "true" in the directory; as SandboxWire.cs writes it. */
static size_t write_frame(char *frame, size_t bytes, const char *directory, const char *program)
{
    FILE *out = fmemopen(frame, bytes, "w");
    const char *const strings[] = { directory, "", "bench", NULL, program, "--true", NULL };
    const struct {
        uint32_t walls, cpu_millicores;
        uint64_t memory_bytes;
        uint32_t processes_max, open_files_max;
        uint64_t scratch_bytes, stdout_max, stderr_max, timeout_us;
    } __attribute__((packed)) fixed = { .walls = WALL_ALL, .memory_bytes = 1 << 30, .processes_max = 100 };
    if (!out)
        return 0;
    fseek(out, FRAME_HEADER_BYTES, SEEK_SET);
    fwrite(&fixed, sizeof fixed, 1, out);
    for (size_t i = 0; i < COUNT(strings); i++) {
        /* The counts of arguments and of variables stand where the NULLs are. */
        uint32_t number = strings[i] ? (uint32_t)strlen(strings[i]) : i == 3 ? 2 : 0;
        fwrite(&number, sizeof number, 1, out);
        if (strings[i])
            fwrite(strings[i], number + 1, 1, out);
    }
    long end = ftell(out);
    if (ferror(out) || fclose(out) != 0 || end < 0)
        return 0;
    memcpy(frame, &(struct frame_header){ (uint32_t)end - FRAME_HEADER_BYTES, FRAME_RUN, 1 }, FRAME_HEADER_BYTES);
    return (size_t)end;
}

/* False also for an action that did not end as "true" does. */
static bool await_exit(int launcher)
{
    struct frame_header header = { 0 };
    char payload[sizeof(struct exit_payload) + DETAIL_BYTES_MAX];
    struct exit_payload exit;
    while (header.type != FRAME_EXIT)
        if (recv(launcher, &header, sizeof header, MSG_WAITALL) != (ssize_t)sizeof header || header.payload_bytes > sizeof payload
            || recv(launcher, payload, header.payload_bytes, MSG_WAITALL) != (ssize_t)header.payload_bytes)
            return false;
    memcpy(&exit, payload, sizeof exit);
    if (exit.outcome != OUTCOME_EXITED)
        complain("outcome %u: %.*s", exit.outcome, (int)exit.detail_bytes, payload + sizeof exit);
    return exit.outcome == OUTCOME_EXITED && exit.exit_code == 0;
}

int bench_run(const struct config *config, unsigned rounds)
{
    /* The launcher itself is the static program: its directory becomes the input root. */
    char self[4096], program[4096], frame[16384];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    int pair[2];
    auto_free uint32_t *samples = calloc(rounds, sizeof *samples);
    if (length < 0 || !samples || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 1;
    self[length] = 0;
    char *name = strrchr(self, '/');
    *name = 0;
    snprintf(program, sizeof program, "./%s", name + 1);
    size_t bytes = write_frame(frame, sizeof frame, self, program);

    pid_t launcher = fork();
    if (launcher == 0) {
        close(pair[0]);
        _exit(serve(config, pair[1]));
    }
    close(pair[1]);
    bool done = launcher > 0 && bytes > 0;
    for (unsigned i = 0; done && i < rounds; i++) {
        uint64_t start = now_us();
        done = send(pair[0], frame, bytes, MSG_NOSIGNAL) == (ssize_t)bytes && await_exit(pair[0]);
        samples[i] = (uint32_t)(now_us() - start);
        usleep(5000); /* as an idle server: the launcher has time for its next spare */
    }
    close(pair[0]);
    while (launcher > 0 && waitpid(launcher, NULL, 0) < 0 && errno == EINTR)
        ;
    if (done)
        print_percentiles(samples, rounds);
    return done ? 0 : 1;
}
