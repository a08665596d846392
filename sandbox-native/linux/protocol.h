/*
 * What travels between worker and launcher. The other side is
 * workers/RemoteExec.Worker/Sandbox/SandboxWire.cs. Little-endian, packed, one stream socket.
 *
 *   frame    u32 payload bytes | u32 type | u64 action id | payload
 *   string   u32 bytes | bytes | 0      (the zero is not counted; we point into the frame)
 *
 *   HELLO    <- u32 version
 *   RUN      -> u32 walls | u32 cpu millicores | u64 memory bytes | u32 processes | u32 open files
 *               u64 scratch bytes | u64 stdout bytes | u64 stderr bytes | u64 timeout microseconds
 *               string input root | string working directory | string host name
 *               u32 count, strings: arguments | u32 count, strings: NAME=VALUE
 *   KILL     -> (empty; an id that no longer runs is no error: the report may be on its way)
 *   STARTED  <- (empty)
 *   STDOUT   <- bytes                 STDERR likewise
 *   EXIT     <- u32 outcome | i32 exit code | i32 signal | u32 flags
 *               u64 wall, user, system microseconds | u64 peak memory bytes
 *               u64 stdout, stderr bytes dropped
 *               u64 of getrusage(2): bytes of the largest process, minor and major faults, swaps, blocks in and out,
 *               messages sent and received, signals, voluntary and involuntary switches
 *               u32 length, detail text (no zero)
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

enum { PROTOCOL_VERSION = 2, FRAME_HEADER_BYTES = 16, RUN_BYTES_MAX = 8 << 20 };

enum frame_type {
    FRAME_RUN = 1,
    FRAME_KILL = 2,
    FRAME_HELLO = 128,
    FRAME_STARTED = 129,
    FRAME_STDOUT = 130,
    FRAME_STDERR = 131,
    FRAME_EXIT = 132,
};

struct frame_header {
    uint32_t payload_bytes;
    uint32_t type;
    uint64_t id;
} __attribute__((packed));

/* enum SandboxWalls */
enum wall {
    WALL_USER = 1 << 0,
    WALL_ROOT = 1 << 1,
    WALL_PROCESSES = 1 << 2,
    WALL_NETWORK = 1 << 3,
    WALL_IPC = 1 << 4,
    WALL_HOSTNAME = 1 << 5,
    WALL_SYSTEMCALLS = 1 << 6,
    WALL_LIMITS = 1 << 7,
    WALL_ALL = (1 << 8) - 1,
    /* Without these two there is nothing to stand on: no way to kill a tree, no /proc of its own. */
    WALL_ALWAYS = WALL_ROOT | WALL_PROCESSES,
};

/* enum SandboxOutcome */
enum outcome {
    OUTCOME_EXITED = 1,
    OUTCOME_SIGNALED = 2,
    OUTCOME_TIMED_OUT = 3,
    OUTCOME_KILLED = 4,
    OUTCOME_MEMORY_LIMIT = 5,
    OUTCOME_PROGRAM_NOT_FOUND = 6,
    OUTCOME_PROGRAM_NOT_RUNNABLE = 7,
    OUTCOME_WORKING_DIRECTORY_INVALID = 8,
    OUTCOME_SETUP_FAILED = 9,
    OUTCOME_SPEC_INVALID = 10,
};

enum { EXIT_FLAG_LIMITS_ENFORCED = 1, EXIT_FLAG_USAGE = 2, DETAIL_BYTES_MAX = 512 };

struct exit_payload {
    uint32_t outcome;
    int32_t exit_code;
    int32_t signal;
    uint32_t flags;
    uint64_t wall_us, user_us, system_us;
    uint64_t peak_memory_bytes;
    uint64_t stdout_dropped, stderr_dropped;
    uint64_t largest_process_bytes, minor_faults, major_faults, swaps, blocks_in, blocks_out;
    uint64_t messages_sent, messages_received, signals, voluntary_switches, involuntary_switches;
    uint32_t detail_bytes;
} __attribute__((packed));

_Static_assert(sizeof(struct frame_header) == FRAME_HEADER_BYTES, "wire layout");
_Static_assert(sizeof(struct exit_payload) == 156, "wire layout");

#endif
