/*
 * Host event "log rotation": the host reopens its log file; psc has nothing to reopen and no call belongs there. The
 * callback looks the file up each time, under the host's own lock.
 *
 *   logrotate CONFIG DIRECTORY
 */
#include "common.h"

static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *file;
static volatile sig_atomic_t reopen_wanted;

static void on_user_signal(int signal_number)
{
    (void) signal_number;
    reopen_wanted = 1;
}

static void write_line(void *user_data, int level, const char *message)
{
    pthread_mutex_lock(&file_lock);
    fprintf(file, "%d %s\n", level, message);
    fflush(file);
    pthread_mutex_unlock(&file_lock);
    log_keep(user_data, level, message);
}

static void reopen(const char *path)
{
    FILE *fresh = fopen(path, "a");
    CHECK(fresh != NULL);
    pthread_mutex_lock(&file_lock);
    FILE *old = file;
    file = fresh;
    pthread_mutex_unlock(&file_lock);
    if (old != NULL) fclose(old);
}

static int lines_with(const char *path, const char *needle)
{
    char line[1024];
    int count = 0;
    FILE *stream = fopen(path, "r");
    CHECK(stream != NULL);
    while (fgets(line, sizeof line, stream) != NULL) count += strstr(line, needle) != NULL;
    fclose(stream);
    return count;
}

static void check_in_background(const char *config, struct log *journal)
{
    int from = log_count(journal);
    psc_checker *checker = checker_new(write_line, journal, config);
    CHECK_CODE(PSC_OK, psc_start(checker));
    EXPECT_LOG(journal, from, "no update found");
    psc_free(checker);
}

int main(int argc, char **argv)
{
    static struct log journal;
    struct sigaction action = { .sa_handler = on_user_signal };
    char path[512], rotated[520];
    CHECK(argc == 3);
    snprintf(path, sizeof path, "%s/error.log", argv[2]);
    snprintf(rotated, sizeof rotated, "%s.1", path);
    log_init(&journal);
    reopen(path);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);

    check_in_background(argv[1], &journal);
    CHECK(rename(path, rotated) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && reopen_wanted); /* psc's thread blocks all signals: it came to this one */
    reopen(path);
    check_in_background(argv[1], &journal);
    CHECK(lines_with(rotated, "no update found") == 1);
    CHECK(lines_with(path, "no update found") == 1);

    /* With psc_log_fd the records wait for the host's thread: what was queued before goes to the new file too. */
    psc_checker *checker = checker_new(write_line, &journal, argv[1]);
    CHECK(psc_log_fd(checker) >= 0);
    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    CHECK(rename(path, rotated) == 0);
    reopen(path);
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    CHECK(lines_with(path, "no update found") == 1);
    psc_free(checker);
    fclose(file);
    return 0;
}
