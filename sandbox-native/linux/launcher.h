/* What the launcher's files share. One file per kernel subject; this is their table of contents. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "protocol.h"

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
static inline void free_memory(void *pointer)
{
    free(*(void **)pointer);
}
#define auto_close __attribute__((cleanup(close_fd)))
#define auto_free __attribute__((cleanup(free_memory)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SYSTEM_PATHS_MAX = 32, CONTROLLERS = 3, INSIDE_ID = 1000 };

/* What the command line says; the same for every action. */
struct config {
    uid_t action_uid; /* host identity of root's actions */
    gid_t action_gid;
    unsigned slots;
    const char *system_paths[SYSTEM_PATHS_MAX];
    unsigned system_path_count;
    bool privileged; /* started as root */
};

/* One action as the wire tells it; strings point into the frame. */
struct spec {
    uint32_t walls;
    uint32_t cpu_millicores;
    uint64_t memory_bytes;
    uint32_t processes_max;
    uint32_t open_files_max;
    uint64_t scratch_bytes;
    uint64_t stdout_max, stderr_max;
    uint64_t timeout_us;
    const char *input_root;
    const char *working_directory;
    const char *host_name;
    char **arguments; /* ends with NULL, like environment */
    char **environment;
    const char *payload; /* the frame itself, for a spare to parse again */
    size_t payload_bytes;
};

/* spec.c */
bool spec_parse(struct spec *spec, const char *payload, size_t bytes, const char **error);
void spec_free(struct spec *spec);

/* cgroup.c: one group per slot, made once and used again by later actions */
struct cgroup_slot {
    bool ready;
    int directory[CONTROLLERS]; /* v2: only the first */
    int tasks[CONTROLLERS];     /* v1: where a process writes itself in; -1 on v2 */
    int peak;                   /* memory.peak or memory.max_usage_in_bytes, open for its reset */
    uint64_t memory_limit, start_usage, start_ooms;
    uint32_t cpu_millicores, processes_max;
};
struct cgroup_usage {
    uint64_t peak_bytes;
    bool oom;
};
bool cgroups_start(char *reason, size_t reason_bytes);
void cgroups_stop(struct cgroup_slot *slots, unsigned count);
bool cgroup_prepare(struct cgroup_slot *slot, unsigned number, const struct spec *spec, const char **step);
bool cgroup_limit(struct cgroup_slot *slot, const struct spec *spec, const char **step);
bool die_first(pid_t pid);
int cgroup_clone_target(const struct cgroup_slot *slot); /* v2: for CLONE_INTO_CGROUP; -1 on v1 */
struct cgroup_usage cgroup_read(const struct cgroup_slot *slot);

/* namespaces.c */
bool launcher_namespaces(const struct config *config);
bool next_network(void);
bool host_network(void);
pid_t clone_init(uint32_t walls, int cgroup, int *pidfd);
bool map_identity(const struct config *config, pid_t pid);
bool loopback_up(void);

/* root.c */
bool build_template(const struct config *config, const char **step);
int open_input_root(const char *path);
bool enter_root(const struct spec *spec, const char **step);
bool place_input_root(int input_root);

/* privileges.c */
bool become_action(const struct config *config, bool user_namespace);
bool renounce_privileges(void);
bool drop_privileges(const struct config *config, bool user_namespace);
bool set_rlimits(const struct spec *spec);

/* seccomp.c */
void compile_filter(void); /* once, before the first install */
bool install_filter(void);

/* init.c: process 1 of a sandbox, and what it tells the launcher */
enum record_kind { RECORD_FAILED, RECORD_STARTED, RECORD_ENDED };
struct record {
    uint32_t kind;
    uint32_t outcome; /* RECORD_FAILED */
    uint32_t wall;    /* RECORD_FAILED: the wall that could not be built */
    int32_t error;
    char step[32];
    int32_t status; /* RECORD_ENDED: as wait(2) gives it */
    struct rusage usage;
};
struct sandbox {
    const struct config *config;
    const struct spec *spec; /* without arguments: a spare, which waits for the whole */
    const struct cgroup_slot *cgroup; /* NULL without WALL_LIMITS */
    int control, out, err, input_root;
    bool probe; /* build everything, run nothing */
};
_Noreturn void init_main(struct sandbox *sandbox);

/* spare.c: how the launcher hands a spec to a sandbox that was made before it came */
bool spare_fits(const struct spec *made_for, const struct spec *spec);
bool spare_send(int control, const struct spec *spec, int input_root);
bool spare_receive(int control, struct spec *spec, int *input_root);

/* sandbox.c: from a spec to a running init, used by the loop, the probe and the bench */
struct child {
    pid_t pid;
    int pidfd, control, out, err;
};
struct failure {
    const char *step;
    uint32_t wall;
    int error;
};
bool sandbox_start(const struct config *config, const struct spec *spec, const struct cgroup_slot *cgroup,
                   bool probe, struct child *child, struct failure *failure);
void prepare_network(void);

/* verdict.c */
void judge(const struct record *record, uint32_t stopped, bool oom, struct exit_payload *exit, char detail[DETAIL_BYTES_MAX]);

/* outbox.c: towards the worker; false when it is gone */
struct outbox {
    int socket;
    char *waiting; /* what the socket did not take */
    size_t waiting_bytes, capacity;
};
int connect_to(const char *socket_path);
bool outbox_open(struct outbox *outbox, int socket, size_t capacity);
bool outbox_flush(struct outbox *outbox);
/* The header is written in front of the payload, where the caller left FRAME_HEADER_BYTES of room for it. */
bool outbox_send(struct outbox *outbox, char *frame, enum frame_type type, uint64_t id, size_t payload_bytes);

/* loop.c, probe.c, bench.c */
int serve(const struct config *config, int socket), probe(const struct config *config);
int bench_floor(unsigned rounds);
int bench_run(const struct config *config, unsigned rounds);

uint64_t now_us(void);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
