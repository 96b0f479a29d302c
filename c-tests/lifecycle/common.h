/*
 * What the programs of this directory share: waiting, a listener that accepts connections and says nothing, and what
 * /proc knows about this process.
 */
#ifndef LIFECYCLE_COMMON_H
#define LIFECYCLE_COMMON_H

#include "../harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#define PATIENCE_MS 20000 /* for what must happen; reached only by a failing test */

/* PSC_TEST_SLOW=1 in the environment: under valgrind or a sanitizer, where times say nothing. */
static inline int is_slow(void)
{
    return getenv("PSC_TEST_SLOW") != NULL;
}

/* The hard bound of psc_stop and psc_free. */
static inline int bound_ms(void)
{
    return is_slow() ? PATIENCE_MS : 1000;
}

/* --- waiting ------------------------------------------------------------------------------------ */

/* Looks every millisecond, for what the kernel or another process does and nothing announces. */
#define WAIT_UNTIL(condition) \
    do { \
        long long deadline_ = now_ms() + PATIENCE_MS; \
        while (!(condition)) { \
            if (now_ms() > deadline_) fail(__FILE__, __LINE__, "in time: " #condition); \
            sleep_ms(1); \
        } \
    } while (0)

/* For threads: the kernel shows one that was joined a moment longer, and a new one gives itself its name. */
#define CHECK_SOON(condition) CHECK_WITHIN(is_slow() ? PATIENCE_MS : 500, condition)
#define CHECK_WITHIN(limit_ms, condition) \
    do { \
        long long deadline_ = now_ms() + (limit_ms); \
        while (!(condition) && now_ms() < deadline_) sleep_ms(1); \
        CHECK(condition); \
    } while (0)

/* Waits for a line or shows what came instead and fails. */
#define EXPECT_LOG(log, from, needle) \
    do { \
        if (log_wait((log), (from), (needle), PATIENCE_MS) == -1) { \
            log_print(log); \
            fail(__FILE__, __LINE__, "a log line contains " #needle); \
        } \
    } while (0)

/* --- a configured handle ------------------------------------------------------------------------ */

#define AT_ONCE "{\"start_delay\":0,\"start_jitter\":0}"

/* `json` comes from the test: keys, CA, server. The first check of psc_start comes at once. */
static inline psc_checker *checker_new(psc_log_fn callback, void *user_data, const char *json)
{
    psc_checker *checker = psc_init(callback, user_data);
    CHECK(checker != NULL);
    int code = psc_configure(checker, json);
    if (code != PSC_OK) fprintf(stderr, "psc_configure: %s\n", psc_last_error(checker));
    CHECK_CODE(PSC_OK, code);
    CHECK_CODE(PSC_OK, psc_configure(checker, AT_ONCE));
    return checker;
}

/* --- the schedule, in psc's own thread or (PSC_TEST_RUN=1 in the environment) by psc_run in one of the host's ------------ */

struct host_thread {
    psc_checker *checker;
    atomic_int ended, code;
};

static inline void *run_schedule(void *argument)
{
    struct host_thread *thread = argument;
    pthread_setname_np(pthread_self(), "psc"); /* for those who count them */
    atomic_store(&thread->code, psc_run(thread->checker));
    atomic_store(&thread->ended, 1);
    return NULL; /* *thread is left behind: the test may still look at it */
}

static inline int runs_in_host_thread(void)
{
    return getenv("PSC_TEST_RUN") != NULL;
}

/* A thread of the host's that is in psc_run, or about to be. */
static inline struct host_thread *host_thread_new(psc_checker *checker)
{
    static struct host_thread threads[4096];
    static atomic_int used;
    pthread_t id;
    int number = atomic_fetch_add(&used, 1);
    CHECK(number < (int) (sizeof threads / sizeof *threads));
    threads[number].checker = checker;
    CHECK(pthread_create(&id, NULL, run_schedule, &threads[number]) == 0);
    CHECK(pthread_detach(id) == 0);
    return &threads[number];
}

static inline int is_running(psc_checker *checker)
{
    return json_has(checker, psc_status, "\"running\":true");
}

/* As psc_start; by psc_run it may not have begun yet. */
static inline int begin_schedule(psc_checker *checker)
{
    if (!runs_in_host_thread()) return psc_start(checker);
    host_thread_new(checker);
    return PSC_OK;
}

/* As psc_start. */
static inline int start_schedule(psc_checker *checker)
{
    if (!runs_in_host_thread()) return psc_start(checker);
    if (is_running(checker)) return psc_run(checker); /* refused */
    struct host_thread *thread = host_thread_new(checker);
    WAIT_UNTIL(atomic_load(&thread->ended) || is_running(checker));
    return atomic_load(&thread->ended) ? atomic_load(&thread->code) : PSC_OK;
}

/* psc_stop; where all is slow, as often as it takes. */
static inline int stop_fully(psc_checker *checker)
{
    int code;
    do {
        code = psc_stop(checker);
    } while (code == PSC_ERR_TIMEOUT && is_slow());
    return code;
}

__attribute__((format(printf, 2, 3)))
static inline int configure_format(psc_checker *checker, const char *format, ...)
{
    char json[8192];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(json, sizeof json, format, arguments);
    va_end(arguments);
    CHECK(length > 0 && length < (int) sizeof json);
    return psc_configure(checker, json);
}

/* --- this process ------------------------------------------------------------------------------- */

static inline int count_entries(const char *directory)
{
    DIR *stream = opendir(directory);
    CHECK(stream != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(stream);
    return count;
}

static inline int count_threads(void)
{
    int count = count_entries("/proc/self/task");
    return count > 1 && getenv("PSC_TEST_TSAN") != NULL ? count - 1 : count; /* ThreadSanitizer has one of its own */
}

static inline int count_descriptors(void)
{
    return count_entries("/proc/self/fd") - 1; /* without the one that reads the directory */
}

/* Thread ids of the threads named `name`; how many there are. */
static inline int threads_named(const char *name, int *ids, int room)
{
    DIR *stream = opendir("/proc/self/task");
    CHECK(stream != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char path[300], comm[64] = "";
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL) continue; /* ended meanwhile */
        if (fgets(comm, sizeof comm, file) != NULL) comm[strcspn(comm, "\n")] = '\0';
        fclose(file);
        if (strcmp(comm, name) != 0) continue;
        if (count < room) ids[count] = atoi(entry->d_name);
        count++;
    }
    closedir(stream);
    return count;
}

static inline int psc_threads(void)
{
    return threads_named("psc", NULL, 0);
}

/* The text after `key` in a /proc file of "Key: value" lines. */
static inline int proc_value(const char *path, const char *key, char *value, size_t room)
{
    char line[512];
    size_t length = strlen(key);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    int found = 0;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, length) != 0 || line[length] != ':') continue;
        const char *text = line + length + 1;
        text += strspn(text, " \t");
        snprintf(value, room, "%.*s", (int) strcspn(text, "\n"), text);
        found = 1;
    }
    fclose(file);
    return found;
}

static inline long resident_kib(void)
{
    char value[64];
    CHECK(proc_value("/proc/self/status", "VmRSS", value, sizeof value));
    return atol(value);
}

/* --- processes ---------------------------------------------------------------------------------- */

/* The exit status of a child; fails when a signal ended it. */
static inline int wait_for(pid_t child)
{
    int status;
    pid_t waited;
    while ((waited = waitpid(child, &status, 0)) == -1 && errno == EINTR) {
    }
    CHECK(waited == child);
    if (WIFSIGNALED(status)) fprintf(stderr, "process %d was ended by signal %d\n", (int) child, WTERMSIG(status));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Does psc_status say that this process makes the host's checks? */
static inline int is_owner(psc_checker *checker)
{
    return json_has(checker, psc_status, "\"owner\":true");
}

/* Whether somebody, in whichever process, makes the host's checks. */
static inline int is_owner_locked(const char *state_dir)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/owner.lock", state_dir);
    int file = open(path, O_RDWR | O_CLOEXEC);
    CHECK(file != -1);
    int locked = flock(file, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK;
    close(file);
    return locked;
}

/* Nothing shows that libcurl has gone on from here to its wait, but that psc's thread sleeps for a while. */
static inline void await_sleeping_thread(void)
{
    int id = 0;
    char path[64], state[32] = "";
    WAIT_UNTIL(threads_named("psc", &id, 1) == 1);
    snprintf(path, sizeof path, "/proc/self/task/%d/status", id);
    for (int asleep = 0; asleep < 10; asleep++) {
        CHECK(proc_value(path, "State", state, sizeof state));
        if (state[0] != 'S') asleep = 0;
        sleep_ms(1);
    }
}

/* --- sockets ------------------------------------------------------------------------------------ */

/* A loopback listener that the kernel completes handshakes for and nobody answers on. */
static inline int silent_listener(int backlog, int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener != -1);
    CHECK(bind(listener, (struct sockaddr *) &address, sizeof address) == 0);
    CHECK(listen(listener, backlog) == 0);
    CHECK(getsockname(listener, (struct sockaddr *) &address, &length) == 0);
    *port = ntohs(address.sin_port);
    return listener;
}

/* Is there a TCP socket of this network namespace to `port` in that state (1 established, 2 SYN sent)? */
static inline int tcp_to_port(int port, unsigned state)
{
    char line[512];
    int found = 0;
    FILE *file = fopen("/proc/self/net/tcp", "r");
    CHECK(file != NULL);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        unsigned remote, seen;
        if (sscanf(line, " %*d: %*x:%*x %*x:%x %x", &remote, &seen) != 2) continue;
        found = remote == (unsigned) port && seen == state;
    }
    fclose(file);
    return found;
}

#endif
