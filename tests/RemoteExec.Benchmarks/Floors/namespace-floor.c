/*
 * What the kernel alone takes for one sandboxed no-op: clone(2) into the namespaces that the sandbox uses,
 * execve(2) of a static program, wait for it. Prints one duration in nanoseconds for each round.
 *
 *   namespace-floor PROGRAM ROUNDS
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char stack[64 * 1024] __attribute__((aligned(16)));

static int run(void *program) {
    char *arguments[] = {program, NULL};
    char *environment[] = {NULL};
    execve(program, arguments, environment);
    _exit(127);
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: namespace-floor PROGRAM ROUNDS\n");
        return 2;
    }

    const int namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    for (int round = atoi(arguments[2]); round > 0; round--) {
        long long start = now();
        /* CLONE_VFORK and CLONE_VM, as posix_spawn(3) does: the parent's pages are not copied. */
        pid_t child = clone(run, stack + sizeof stack, namespaces | CLONE_VM | CLONE_VFORK | SIGCHLD, arguments[1]);
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child) {
            perror(child < 0 ? "clone" : "waitpid");
            return 1;
        }
        if (status != 0) {
            fprintf(stderr, "%s ended with wait status %d\n", arguments[1], status);
            return 1;
        }
        printf("%lld\n", now() - start);
    }
    return 0;
}
