/*
 * --bench-floor N: what the kernel alone takes to clone into all namespaces, execute a static program and reap it.
 * --bench-run N:   the same program through all walls of this launcher.
 * Both print "p50 p90 p99 max" in microseconds.
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
    printf("%u %u %u %u\n", samples[count / 2], samples[count * 9 / 10], samples[count * 99 / 100], samples[count - 1]);
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

static bool run_once(const struct config *config, const struct spec *spec, struct cgroup_slot *cgroup, uint32_t *sample)
{
    struct child child;
    struct failure failure;
    struct record record = { .kind = RECORD_STARTED };
    uint64_t start = now_us();
    if (!cgroup_prepare(cgroup, 0, spec, &failure.step) || !sandbox_start(config, spec, cgroup, false, &child, &failure)) {
        complain("%s: %s", failure.step, strerror(errno));
        return false;
    }
    while (record.kind == RECORD_STARTED && recv(child.control, &record, sizeof record, 0) == (ssize_t)sizeof record)
        ;
    cgroup_read(cgroup);
    *sample = (uint32_t)(now_us() - start);
    while (waitpid(child.pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    close(child.control), close(child.out), close(child.err), close(child.pidfd);
    if (record.kind == RECORD_FAILED)
        complain("%s: %s", record.step, strerror(record.error));
    return record.kind == RECORD_ENDED && record.status == 0;
}

int bench_run(const struct config *config, unsigned rounds)
{
    /* The launcher itself is the static program: its directory becomes the input root. */
    char self[4096], reason[256];
    char *words[] = { NULL, "--true", NULL }, *environment[] = { NULL };
    struct cgroup_slot cgroup = { 0 };
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    if (bytes < 0)
        return 1;
    self[bytes] = 0;
    char *name = strrchr(self, '/'), program[4096];
    *name = 0;
    snprintf(program, sizeof program, "./%s", name + 1);
    words[0] = program;
    struct spec spec = { .walls = WALL_ALL, .input_root = self, .working_directory = "", .host_name = "bench",
                         .arguments = words, .environment = environment, .processes_max = 100, .memory_bytes = 1 << 30 };
    const char *step = "namespaces";
    auto_free uint32_t *samples = calloc(rounds, sizeof *samples);
    if (!samples)
        return 1;
    if (!cgroups_start(reason, sizeof reason)) {
        complain("%s", reason);
        return 1;
    }
    bool done = launcher_namespaces(config) && build_template(config, &step);
    if (!done)
        complain("%s: %s", step, strerror(errno));
    for (unsigned i = 0; done && i < rounds; i++) {
        done = run_once(config, &spec, &cgroup, &samples[i]);
        usleep(2000);
    }
    cgroups_stop(&cgroup, 1);
    if (done)
        print_percentiles(samples, rounds);
    return done ? 0 : 1;
}
