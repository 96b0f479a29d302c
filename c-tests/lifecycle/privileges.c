/*
 * Host event "privilege drop": configured as root, with files only root can read; then a chroot into an empty directory
 * and another user; started there. Everything it needs is in memory.
 *
 *   privileges CONFIG PRIVATE_DIR EMPTY_DIR    PRIVATE_DIR has the keys and is removed after configuring
 */
#include "common.h"

#define NOBODY 65534

static void remove_files(const char *directory)
{
    char path[1024];
    DIR *stream = opendir(directory);
    CHECK(stream != NULL);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        CHECK(unlink(path) == 0);
    }
    closedir(stream);
    CHECK(rmdir(directory) == 0);
}

int main(int argc, char **argv)
{
    static struct log journal;
    char *json;
    CHECK(argc == 4);
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, argv[1]);
    remove_files(argv[2]);
    if (geteuid() == 0) {
        CHECK(chdir(argv[3]) == 0 && chroot(argv[3]) == 0);
        CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        CHECK(geteuid() == NOBODY && access("/etc", F_OK) == -1);
    } else {
        printf("not root: without chroot and another user\n");
    }

    CHECK_CODE(PSC_OK, psc_start(checker));
    EXPECT_LOG(&journal, 0, "no update found");
    /* A later call that names no file keeps what is in memory. */
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"interval\":43200}"));
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &json));
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_stop(checker));
    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    psc_free(checker);
    return 0;
}
