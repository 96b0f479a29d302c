/*
 * psc_make_state_dir, as a server calls it that begins as root: each of its answers, and that nothing is changed that is not
 * psc's.
 *
 *   make-state CONFIG DIR    DIR is empty; CONFIG's check finds no update
 */
#include "common.h"

#define SERVER 65534
#define FORMER 65533

static const char *base;

static const char *path(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", base, name);
    return path;
}

static struct stat facts(const char *name)
{
    struct stat status;
    CHECK(lstat(path(name), &status) == 0);
    return status;
}

static int is_private(const char *name, uid_t uid)
{
    struct stat status = facts(name);
    return S_ISDIR(status.st_mode) && status.st_uid == uid && (status.st_mode & 07777) == 0700;
}

static void use(psc_checker *checker, const char *name)
{
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", path(name)));
}

static void refused(psc_checker *checker, const char *name, const char *why)
{
    use(checker, name);
    CHECK_CODE(PSC_ERR_FILE, psc_make_state_dir(checker, SERVER, SERVER));
    if (strstr(psc_last_error(checker), why) == NULL || strstr(psc_last_error(checker), base) == NULL) {
        fprintf(stderr, "%s: not \"%s\": %s\n", name, why, psc_last_error(checker));
        exit(1);
    }
}

/* Runs `body` as the server's user; it ends the process with 0. */
static void as_server(void (*body)(const char *), const char *argument)
{
    int status;
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
        CHECK(setgid(SERVER) == 0 && setuid(SERVER) == 0);
        body(argument);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Made by a handle of root's, inherited by the server's process. */
static psc_checker *inherited;

static size_t record(char *bytes, size_t size)
{
    FILE *file = fopen(path("new/state.json"), "r");
    CHECK(file != NULL);
    size_t length = fread(bytes, 1, size, file);
    CHECK(fclose(file) == 0 && length > 100 && length < size);
    return length;
}

static void knows_the_answer(const char *before)
{
    char bytes[65536];
    size_t length = record(bytes, sizeof bytes);
    CHECK(memcmp(bytes, before, length) == 0 && strlen(before) == length);
    CHECK(unlink(path("new/state.json")) == 0);
}

static void without_root(const char *unused)
{
    (void) unused;
    use(inherited, "new");
    CHECK_CODE(PSC_OK, psc_make_state_dir(inherited, SERVER, SERVER));
    use(inherited, "new/below");
    CHECK_CODE(PSC_OK, psc_make_state_dir(inherited, SERVER, SERVER));
    CHECK(is_private("new/below", SERVER));
    use(inherited, "new");
    CHECK_CODE(PSC_ERR_FILE, psc_make_state_dir(inherited, FORMER, FORMER));
    CHECK(strstr(psc_last_error(inherited), "root") != NULL);
}

static void test_makes_and_hands_over(psc_checker *checker)
{
    static char known[65536];
    struct stat before;

    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER)); /* none is configured */
    refused(checker, "new", "pass through"); /* DIR is root's alone */
    CHECK(access(path("new"), F_OK) == -1);
    CHECK(chmod(base, 0755) == 0);

    use(checker, "new");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, FORMER, FORMER));
    CHECK(is_private("new", FORMER));
    before = facts("new");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, FORMER, FORMER));
    CHECK(facts("new").st_ino == before.st_ino);

    /* The server ran as another user before: it has psc's files, and what is known goes with them. */
    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    CHECK(facts("new/state.json").st_uid == FORMER);
    known[record(known, sizeof known)] = 0;
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
    CHECK(is_private("new", SERVER) && facts("new/state.json").st_uid == SERVER);
    as_server(knows_the_answer, known);
    CHECK(access(path("new/state.json"), F_OK) == -1);
    as_server(without_root, NULL);
    CHECK(rmdir(path("new/below")) == 0);

    /* Set up by root, as systemd does for DynamicUser. */
    CHECK(symlink("new", path("link")) == 0);
    use(checker, "link");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
}

static void makes_its_own(const char *name)
{
    char record[1024];

    use(inherited, name);
    CHECK_CODE(PSC_OK, psc_run_once(inherited, NULL));
    snprintf(record, sizeof record, "%s/state.json", name);
    CHECK(is_private(name, SERVER) && facts(record).st_uid == SERVER);
}

/* Root does nothing there, says nothing, and the server's process does what is needed. */
static void test_leaves_the_servers_own_to_the_server(psc_checker *checker)
{
    CHECK(mkdir(path("theirs"), 0755) == 0 && chown(path("theirs"), SERVER, SERVER) == 0);
    use(checker, "theirs/state");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
    CHECK(access(path("theirs/state"), F_OK) == -1);
    CHECK(mkdir(path("roots-own"), 0755) == 0 && symlink(path("roots-own"), path("theirs/link")) == 0);
    use(checker, "theirs/link/state");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
    CHECK(access(path("roots-own/state"), F_OK) == -1 && facts("roots-own").st_uid == 0);
    as_server(makes_its_own, "theirs/state");
}

static void test_changes_nothing_else(psc_checker *checker)
{
    refused(checker, "missing/state", "No such file");
    CHECK(close(open(path("file"), O_CREAT | O_WRONLY, 0600)) == 0);
    refused(checker, "file", "not a directory");

    CHECK(mkdir(path("shared"), 0700) == 0 && chmod(path("shared"), 01777) == 0);
    refused(checker, "shared", "use a directory below it");
    CHECK(facts("shared").st_uid == 0 && (facts("shared").st_mode & 07777) == 01777);
    use(checker, "shared/own");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
    CHECK(mkdir(path("shared/foreign"), 0755) == 0 && chown(path("shared/foreign"), FORMER, FORMER) == 0);
    refused(checker, "shared/foreign", "another user");

    /* Empty, or with somebody's files: nobody knows whose it is. */
    CHECK(mkdir(path("used"), 0755) == 0);
    refused(checker, "used", "another user");
    CHECK(close(open(path("used/state.json"), O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(close(open(path("used/precious"), O_CREAT | O_WRONLY, 0600)) == 0);
    refused(checker, "used", "another user");
    CHECK(facts("used").st_uid == 0 && facts("used/state.json").st_uid == 0);

    /* Another program's file has the name of psc's. */
    for (int i = 0; i < 2; i++) {
        const char *const name = i == 0 ? "roots-program" : "others-program";
        char file[64];
        snprintf(file, sizeof file, "%s/state.json", name);
        CHECK(mkdir(path(name), 0755) == 0);
        FILE *state = fopen(path(file), "w");
        CHECK(state != NULL && fputs("{\"format\":1}", state) > 0 && fclose(state) == 0);
        CHECK(chown(path(name), i * FORMER, i * FORMER) == 0 && chown(path(file), i * FORMER, i * FORMER) == 0);
        refused(checker, name, "other files than psc's");
        CHECK(facts(name).st_uid == (uid_t) (i * FORMER) && facts(file).st_uid == (uid_t) (i * FORMER));
    }

    /* What another user can exchange. */
    CHECK(mkdir(path("home"), 0755) == 0 && mkdir(path("roots"), 0755) == 0);
    CHECK(mkdir(path("home/state"), 0700) == 0 && symlink(path("roots"), path("home/to-roots")) == 0);
    CHECK(chown(path("home"), FORMER, FORMER) == 0 && lchown(path("home/to-roots"), FORMER, FORMER) == 0);
    refused(checker, "home/state", "below");
    refused(checker, "home/new", "below");
    refused(checker, "home/to-roots", "below");
    CHECK(symlink(path("roots"), path("to-roots")) == 0 && lchown(path("to-roots"), FORMER, FORMER) == 0);
    refused(checker, "to-roots/state", "below");
    CHECK(access(path("roots/state"), F_OK) == -1 && access(path("home/new"), F_OK) == -1);
    CHECK(facts("roots").st_uid == 0);

    /* In a directory of the server's, a file of somebody else's that it has given psc's name. */
    CHECK(mkdir(path("mine"), 0700) == 0 && chown(path("mine"), SERVER, SERVER) == 0);
    FILE *secret = fopen(path("mine/state.json"), "w");
    CHECK(secret != NULL && fputs("{\"a\":\"secret\"}", secret) > 0 && fclose(secret) == 0);
    CHECK(chmod(path("mine/state.json"), 0600) == 0);
    use(checker, "mine");
    CHECK_CODE(PSC_OK, psc_make_state_dir(checker, SERVER, SERVER));
    CHECK(facts("mine/state.json").st_uid == 0);
}

static void test_other_answers(psc_checker *checker)
{
    int status;
    struct rlimit limit, none;

    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_make_state_dir(NULL, SERVER, SERVER));

    use(checker, "new");
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    none.rlim_cur = 3;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    status = psc_make_state_dir(checker, SERVER, SERVER);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_CODE(PSC_ERR_SYSTEM, status);

    CHECK_CODE(PSC_OK, psc_start(checker));
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
        CHECK_CODE(PSC_ERR_FORKED, psc_make_state_dir(checker, SERVER, SERVER));
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_CODE(PSC_OK, psc_stop(checker));
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    base = argv[2];
    umask(022);
    psc_checker *checker = inherited = checker_new(NULL, NULL, argv[1]);
    test_makes_and_hands_over(checker);
    test_leaves_the_servers_own_to_the_server(checker);
    test_changes_nothing_else(checker);
    test_other_answers(checker);
    psc_free(checker);
    return 0;
}
