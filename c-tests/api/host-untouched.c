/*
 * psc leaves no mark on its host: signal handlers and mask, environment, descriptors, threads, locale,
 * umask, working directory, standard streams, pending signals and OpenSSL's error queue, which nginx and Apache complain
 * about, are the same after checks as before; what the host has put into that queue is still there.
 *
 *   host-untouched CONFIG...      each is configured and checked, whatever comes out
 */
#include "../harness.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

struct snapshot {
    struct sigaction actions[NSIG];
    sigset_t mask;
    sigset_t pending;
    char *environment;
    char *descriptors;
    int threads;
    char locale[256];
    mode_t umask;
    char directory[4096];
    off_t streams[2];
};

static char *append(char *list, const char *text)
{
    size_t length = list == NULL ? 0 : strlen(list);
    char *longer = realloc(list, length + strlen(text) + 2);
    CHECK(longer != NULL);
    strcpy(longer + length, text);
    strcat(longer, "\n");
    return longer;
}

static char *list_environment(void)
{
    char *list = append(NULL, "environment");
    char **entry;
    for (entry = environ; *entry != NULL; entry++)
        list = append(list, *entry);
    return list;
}

static char *list_descriptors(void)
{
    char *list = append(NULL, "descriptors");
    int fd;
    for (fd = 0; fd < 1024; fd++) {
        char link[64], target[512], line[600];
        ssize_t length;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = 0;
        snprintf(line, sizeof line, "%d %s flags %d %d", fd, target, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
        list = append(list, line);
    }
    return list;
}

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    CHECK(tasks != NULL);
    while (readdir(tasks) != NULL)
        count++;
    closedir(tasks);
    return count;
}

static void take(struct snapshot *now)
{
    int number, stream;
    memset(now, 0, sizeof *now);
    for (number = 1; number < NSIG; number++)
        sigaction(number, NULL, &now->actions[number]);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &now->mask) == 0);
    CHECK(sigpending(&now->pending) == 0);
    now->environment = list_environment();
    now->descriptors = list_descriptors();
    now->threads = count_threads();
    snprintf(now->locale, sizeof now->locale, "%s", setlocale(LC_ALL, NULL));
    now->umask = umask(0);
    umask(now->umask);
    CHECK(getcwd(now->directory, sizeof now->directory) != NULL);
    fflush(NULL);
    for (stream = 0; stream < 2; stream++) /* both are files, given by main */
        now->streams[stream] = lseek(stream + 1, 0, SEEK_CUR);
}

static int same_sets(const sigset_t *one, const sigset_t *other)
{
    int number;
    for (number = 1; number < NSIG; number++)
        if (sigismember(one, number) != sigismember(other, number))
            return 0;
    return 1;
}

static void compare_signals(const struct snapshot *before, const struct snapshot *after)
{
    int number;
    for (number = 1; number < NSIG; number++) {
        const struct sigaction *one = &before->actions[number], *other = &after->actions[number];
        CHECK(one->sa_handler == other->sa_handler);
        CHECK(one->sa_flags == other->sa_flags);
        CHECK(same_sets(&one->sa_mask, &other->sa_mask));
    }
    CHECK(same_sets(&before->mask, &after->mask));
    CHECK(same_sets(&before->pending, &after->pending));
}

static void compare(const struct snapshot *before, const struct snapshot *after)
{
    compare_signals(before, after);
    CHECK(strcmp(before->environment, after->environment) == 0);
    if (strcmp(before->descriptors, after->descriptors) != 0)
        fprintf(stderr, "before: %s\nafter: %s\n", before->descriptors, after->descriptors);
    CHECK(strcmp(before->descriptors, after->descriptors) == 0);
    CHECK(before->threads == after->threads);
    CHECK(strcmp(before->locale, after->locale) == 0);
    CHECK(before->umask == after->umask);
    CHECK(strcmp(before->directory, after->directory) == 0);
    CHECK(before->streams[0] == after->streams[0]);
    CHECK(before->streams[1] == after->streams[1]);
}

static void release(struct snapshot *snapshot)
{
    free(snapshot->environment);
    free(snapshot->descriptors);
}

/* As if OpenSSL had just written to a connection that the server has closed: the default action ends the host. */
static void break_connection(void *user_data, int level, const char *message)
{
    sigset_t mask;
    log_keep(user_data, level, message);
    if (strstr(message, "sending:") == NULL)
        return;
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGPIPE));
    CHECK(raise(SIGPIPE) == 0);
}

/* Looked up, so that this host need not be linked with OpenSSL itself. */
static void *openssl(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    CHECK(found != NULL);
    return found;
}

#define LIBRARY 128 /* ERR_LIB_USER */
#define REASON_BITS 0x7fffff

static void queue_error(int reason, const char *words)
{
    void (*new_error)(void) = NULL;
    void (*set_error)(int, int, const char *, ...) = NULL;
    void *found = openssl("ERR_new");
    memcpy(&new_error, &found, sizeof found);
    found = openssl("ERR_set_error");
    memcpy(&set_error, &found, sizeof found);
    new_error();
    set_error(LIBRARY, reason, "%s", words);
}

static void take_error(int reason, const char *words)
{
    unsigned long (*get)(const char **, int *, const char **, const char **, int *) = NULL;
    void *found = openssl("ERR_get_error_all");
    const char *data = "";
    unsigned long error;
    memcpy(&get, &found, sizeof found);
    error = get(NULL, NULL, NULL, &data, NULL);
    CHECK((error & REASON_BITS) == (unsigned long) reason);
    CHECK(strcmp(data, words) == 0);
}

/* The host's own errors, of before a call, are there as they were, and nothing beside them. */
static void expect_own_errors(void)
{
    take_error(7, "one of the host's");
    take_error(9, "and another");
    take_error(0, "");
    queue_error(7, "one of the host's");
    queue_error(9, "and another");
}

static void check_once(const char *config)
{
    static struct log log;
    psc_checker *checker = psc_init(break_connection, &log);
    char *json = NULL;
    CHECK(checker != NULL);
    queue_error(7, "one of the host's");
    queue_error(9, "and another");
    if (psc_configure(checker, config) == PSC_OK) {
        expect_own_errors();
        psc_run_once(checker, NULL);
    }
    expect_own_errors();
    psc_verify(checker, "{\"data\":\"e30=\",\"signature\":\"AAAA\"}", 35, "1", NULL);
    expect_own_errors();
    if (psc_preview_request(checker, &json) == PSC_OK)
        psc_string_free(json);
    expect_own_errors();
    if (psc_status(checker, &json) == PSC_OK)
        psc_string_free(json);
    expect_own_errors();
    CHECK(log_matches(&log, "thread panicked") == 0);
    psc_free(checker);
    take_error(7, "one of the host's");
    take_error(9, "and another");
    take_error(0, "");
    log_clear(&log);
}

static void handler(int number)
{
    (void) number;
}

/* For programs that the host executes: it stays inheritable. */
static int kept_pair[2];

/* A host with settings of its own, none of them the default. */
static void set_up_host(void)
{
    sigset_t blocked;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, kept_pair) == 0);
    action.sa_handler = SIG_DFL;
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    setlocale(LC_ALL, "C.UTF-8");
    umask(027);
    CHECK(chdir("/") == 0);
}

/* A descriptor as a file, so that a single byte written is seen. */
static int put_file_at(int fd)
{
    FILE *file = tmpfile();
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    CHECK(file != NULL && kept >= 0);
    CHECK(dup2(fileno(file), fd) == fd);
    fclose(file);
    return kept;
}

int main(int argc, char **argv)
{
    struct snapshot before, after;
    int i, out, err;

    CHECK(argc > 1);
    set_up_host();
    out = put_file_at(1);
    err = put_file_at(2);
    take(&before);
    for (i = 1; i < argc; i++)
        check_once(argv[i]);
    take(&after);
    dup2(out, 1);
    dup2(err, 2);
    compare(&before, &after);
    release(&before);
    release(&after);
    return 0;
}
