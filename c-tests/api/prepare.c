/*
 * A configuration in two steps: psc_prepare, psc_commit, psc_config_free and psc_config_errors, with each code that they return.
 *
 *   prepare CONFIG CERTIFICATES COPY [forks]
 *
 * CONFIG is complete; COPY is where the file CERTIFICATES is copied to, and vanishes from. forks: in children too, whose memory
 * is not given back.
 */
#include "../harness.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *config, *certificates, *copy_path;

static psc_checker *configured(psc_log_fn log, void *user_data)
{
    psc_checker *checker = psc_init(log, user_data);

    CHECK(checker != NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    return checker;
}

static void expect_errors(psc_checker *checker, const char *expected)
{
    char *json = NULL;

    CHECK_CODE(PSC_OK, psc_config_errors(checker, &json));
    if (strcmp(json, expected) != 0)
        fprintf(stderr, "%s\n", json);
    CHECK(strcmp(json, expected) == 0);
    psc_string_free(json);
}

static psc_config *prepared(psc_checker *checker, const char *json, unsigned flags)
{
    psc_config *prepared = NULL;

    CHECK_CODE(PSC_OK, psc_prepare(checker, json, flags, &prepared));
    CHECK(prepared != NULL);
    return prepared;
}

static void refuse(psc_checker *checker, int code, const char *json, unsigned flags)
{
    psc_config *prepared = (psc_config *) &code;

    CHECK_CODE(code, psc_prepare(checker, json, flags, &prepared));
    CHECK(prepared == NULL);
}

static void test_arguments(void)
{
    psc_checker *checker = configured(NULL, NULL), *other = configured(NULL, NULL);

    refuse(NULL, PSC_ERR_INVALID_ARGUMENT, "{}", 0);
    refuse(checker, PSC_ERR_INVALID_ARGUMENT, NULL, 0);
    refuse(checker, PSC_ERR_INVALID_ARGUMENT, "{\"program_name\": \"\xff\"}", 0);
    refuse(checker, PSC_ERR_INVALID_ARGUMENT, "{}", 2);
    refuse(checker, PSC_ERR_INVALID_ARGUMENT, "{}", PSC_REPLACE | 4);
    refuse(checker, PSC_ERR_FILE, "{\"certificate_path\": \"/nowhere/ca.pem\"}", 0);
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_prepare(checker, "{}", 0, NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_commit(checker, NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_commit(NULL, NULL));
    /* Taken all the same: a leak checker watches. */
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_commit(NULL, prepared(checker, "{}", 0)));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_commit(other, prepared(checker, "{\"interval\": 50000}", 0)));
    CHECK(!json_has(other, psc_inspect_config, "50000") && !json_has(checker, psc_inspect_config, "50000"));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_config_errors(NULL, NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_config_errors(checker, NULL));
    psc_config_free(NULL);
    psc_free(other);
    psc_free(checker);
}

static void *expect_none(void *checker)
{
    expect_errors(checker, "[]");
    return NULL;
}

static void test_errors(void)
{
    psc_checker *checker = configured(NULL, NULL);
    pthread_t thread;

    expect_errors(checker, "[]");
    refuse(checker, PSC_ERR_CONFIG, "{\"interval\": 1, \"what\\n\": 1}", 0);
    CHECK(strstr(psc_last_error(checker), "interval: ") != NULL);
    expect_errors(checker, "[{\"key\":\"interval\",\"text\":\"must be an integer from 43200 to 604800\"},"
                           "{\"key\":\"what\\n\",\"text\":\"unknown key\"}]");
    CHECK(pthread_create(&thread, NULL, expect_none, checker) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"interval\": 86400.0}"));
    expect_errors(checker, "[]");
    CHECK_CODE(PSC_ERR_FILE, psc_configure(checker, "{\"certificate_path\": \"/missing\"}"));
    expect_errors(checker, "[{\"key\":\"certificate_path\",\"text\":\"cannot read /missing: No such file or directory (os error 2)\"}]");
    /* Nothing of the configuration was refused. */
    refuse(checker, PSC_ERR_INVALID_ARGUMENT, NULL, 0);
    expect_errors(checker, "[]");
    refuse(checker, PSC_ERR_CONFIG, "[", 0);
    psc_free(checker);
}

static void copy_certificates(void)
{
    char bytes[1 << 16];
    FILE *from = fopen(certificates, "rb"), *to = fopen(copy_path, "wb");
    size_t length;

    CHECK(from != NULL && to != NULL);
    length = fread(bytes, 1, sizeof bytes, from);
    CHECK(fwrite(bytes, 1, length, to) == length && fclose(to) == 0);
    fclose(from);
}

/* The file vanishes between the trial and the change: what was tried comes into force all the same. */
static void test_vanished_file(void)
{
    psc_checker *checker = configured(NULL, NULL);
    char json[4200];
    psc_config *change;

    copy_certificates();
    snprintf(json, sizeof json, "{\"interval\": 50000, \"certificate_path\": \"%s\"}", copy_path);
    change = prepared(checker, json, 0);
    CHECK(!json_has(checker, psc_inspect_config, "50000") && !json_has(checker, psc_inspect_config, copy_path));
    CHECK(unlink(copy_path) == 0);
    CHECK_CODE(PSC_ERR_FILE, psc_configure(checker, json));
    CHECK(!json_has(checker, psc_inspect_config, "50000"));
    CHECK_CODE(PSC_OK, psc_commit(checker, change));
    CHECK(json_has(checker, psc_inspect_config, "50000") && json_has(checker, psc_inspect_config, copy_path));
    /* In force with what the file had. */
    CHECK(psc_run_once(checker, NULL) >= 0);
    psc_free(checker);
}

static void test_replace_and_merge(void)
{
    psc_checker *checker = configured(NULL, NULL);
    psc_config *first, *second;

    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"timeout\": 77, \"interval\": 50000}"));
    CHECK_CODE(PSC_OK, psc_commit(checker, prepared(checker, config, PSC_REPLACE)));
    CHECK(!json_has(checker, psc_inspect_config, "\"timeout\":77") && !json_has(checker, psc_inspect_config, "50000"));
    /* Each is as a whole what it was when it was prepared: the last one counts. */
    first = prepared(checker, "{\"timeout\": 77}", 0);
    second = prepared(checker, "{\"interval\": 50000}", 0);
    CHECK_CODE(PSC_OK, psc_commit(checker, first));
    CHECK(json_has(checker, psc_inspect_config, "\"timeout\":77"));
    CHECK_CODE(PSC_OK, psc_commit(checker, second));
    CHECK(!json_has(checker, psc_inspect_config, "\"timeout\":77") && json_has(checker, psc_inspect_config, "50000"));
    psc_config_free(prepared(checker, "{\"timeout\": 78}", 0));
    CHECK(!json_has(checker, psc_inspect_config, "\"timeout\":78"));
    /* Nothing of it is the handle's. */
    first = prepared(checker, "{}", 0);
    psc_free(checker);
    psc_config_free(first);
}

static psc_checker *own;
static int committed_inside, lines;

static void commit_inside(void *user_data, int level, const char *message)
{
    (void) user_data;
    (void) level;
    (void) message;
    lines++;
    if (committed_inside)
        return;
    committed_inside = 1;
    refuse(own, PSC_ERR_CONFIG, "{\"interval\": 1}", 0);
    CHECK_CODE(PSC_OK, psc_commit(own, prepared(own, "{\"timeout\": 77}", 0)));
}

/* What cannot work yet is a warning when it comes into force, and not before. */
static void test_warnings_and_callback(void)
{
    static const char missing[] =
        "{\"passenger_version\": \"6.0.10\", \"server_identifier\": \"nginx\", \"resources_dir\": \"/missing\"}";
    psc_config *change;

    own = configured(commit_inside, NULL);
    change = prepared(own, missing, PSC_REPLACE);
    CHECK(lines == 0);
    CHECK_CODE(PSC_OK, psc_commit(own, change));
    CHECK(committed_inside && lines > 0);
    CHECK(json_has(own, psc_inspect_config, "\"timeout\":77") && json_has(own, psc_inspect_config, "/missing"));
    psc_free(own);
}

/* A child inherits what is prepared; of a handle that runs in the parent nothing comes into force there. */
static void test_forks(void)
{
    psc_checker *checker = configured(NULL, NULL);
    psc_config *change = prepared(checker, "{\"timeout\": 77}", 0), *other = prepared(checker, "{}", 0);
    int started, status;

    for (started = 0; started < 2; started++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            char *json = (char *) &status;
            CHECK_CODE(started ? PSC_ERR_FORKED : PSC_OK, psc_commit(checker, change));
            psc_config_free(other);
            if (started) {
                refuse(checker, PSC_ERR_FORKED, "{}", 0);
                CHECK_CODE(PSC_ERR_FORKED, psc_config_errors(checker, &json));
                CHECK(json == NULL);
            } else {
                CHECK(json_has(checker, psc_inspect_config, "\"timeout\":77"));
            }
            psc_free(checker);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        if (!started)
            CHECK_CODE(PSC_OK, psc_start(checker));
    }
    CHECK(!json_has(checker, psc_inspect_config, "\"timeout\":77"));
    CHECK_CODE(PSC_OK, psc_commit(checker, change));
    CHECK(json_has(checker, psc_inspect_config, "\"timeout\":77"));
    psc_config_free(other);
    psc_free(checker);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4 || argc == 5);
    config = argv[1];
    certificates = argv[2];
    copy_path = argv[3];
    test_arguments();
    test_errors();
    test_vanished_file();
    test_replace_and_merge();
    test_warnings_and_callback();
    if (argc == 5)
        test_forks();
    return 0;
}
