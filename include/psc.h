/*
 * psc: the security update check that web servers can embed.
 *
 * The shortest host: psc_init with a log callback, psc_configure with passenger_version and server_identifier, psc_start
 * after the last fork, psc_free before the process ends. README.md has an example, docs/contract.md the rules that hold for
 * all functions, docs/configuration.md the keys, docs/host-events.md which call belongs to which event of a server.
 *
 * Ownership. What a function returns through a psc_result **, psc_config ** or char ** is freed by the caller, with
 * psc_result_free, psc_config_free (or psc_commit, which takes it) or psc_string_free. A returned const char * is borrowed; each function says for how long. Out-parameters are always set, to
 * NULL when there is nothing. Arguments are copied before a call returns.
 *
 * Threads. Every function may be called from any thread, and psc_free is the last call on a handle. psc_init and psc_configure
 * start no thread and open no socket. psc_start makes one thread: named "psc", with every signal blocked and a small stack.
 *
 * Forks. A handle may be inherited through a fork until psc_start. After that, and when another thread was in a call on it during
 * the fork, every call in the child returns PSC_ERR_FORKED; psc_free releases the handle, and the parent is not affected.
 * psc_free, psc_stop, psc_request_stop and psc_last_error wait for nothing in a child. The other functions use OpenSSL, whose locks
 * may be held in the child forever, when a thread of the parent was inside OpenSSL during the fork.
 *
 * The end. Call psc_free, or psc_stop, before the process exits or psc is unloaded: OpenSSL cleans up at exit, which a TLS
 * handshake in another thread does not survive. Once OPENSSL_cleanup has run, checks fail with PSC_ERR_SYSTEM.
 *
 * Codes. A code >= 0 is an answer, a code < 0 is a failure. Numbers never change meaning; new ones may be added. Besides the codes
 * that a function lists, every function that takes a handle may return PSC_ERR_INTERNAL; and, except for psc_stop, PSC_ERR_SYSTEM
 * when memory runs out.
 *
 * psc installs no signal handlers, changes no environment variables, prints nothing and registers nothing with atexit. There is
 * one exception: after a bug in psc itself (PSC_ERR_INTERNAL) Rust's standard library writes a report to stderr.
 *
 * This file is generated from src/ffi and tests/abi/header-preamble.h: change it there, then run `make header`.
 */

#ifndef PSC_H
#define PSC_H

#include <stddef.h>
/* The version of this header; psc_version() is that of the library that runs. */
#define PSC_VERSION "0.1.0"
/* 0xMMmmpp */
#define PSC_VERSION_NUMBER 0x000100u

/*
 Done; for a check: no security update is known for this version.
 */
#define PSC_OK 0

/*
 A security update is available.
 */
#define PSC_UPDATE_AVAILABLE 1

/*
 The security update check is disabled.
 */
#define PSC_DISABLED 2

/*
 An argument is NULL where it may not be, or not UTF-8.
 */
#define PSC_ERR_INVALID_ARGUMENT (-1)

/*
 The configuration was rejected; nothing of it was applied.
 */
#define PSC_ERR_CONFIG (-2)

/*
 The call came at the wrong moment: not configured yet, already started, or a check is in flight.
 */
#define PSC_ERR_STATE (-3)

/*
 The call cannot work inside this handle's own log callback.
 */
#define PSC_ERR_REENTRANT (-4)

/*
 The handle was started in another process, before a fork.
 */
#define PSC_ERR_FORKED (-5)

/*
 The check was ended by psc_stop, psc_free or a configuration that disables it.
 */
#define PSC_ERR_CANCELLED (-6)

/*
 A key, certificate, CA or licence file is missing, unreadable, malformed or too weak.
 */
#define PSC_ERR_FILE (-7)

/*
 The check server could not be reached, or the transfer broke.
 */
#define PSC_ERR_NETWORK (-8)

/*
 The TLS handshake or the verification of the server's certificate failed.
 */
#define PSC_ERR_TLS (-9)

/*
 The check server answered with an HTTP status other than 200.
 */
#define PSC_ERR_HTTP (-10)

/*
 The answer is not what the protocol agrees on.
 */
#define PSC_ERR_RESPONSE (-11)

/*
 The answer is not signed by a pinned key: it may be forged.
 */
#define PSC_ERR_SIGNATURE (-12)

/*
 The answer is authentic, but not the answer to this request: it may be a replay.
 */
#define PSC_ERR_NONCE (-13)

/*
 The system denied a thread, random numbers, memory or descriptors.
 */
#define PSC_ERR_SYSTEM (-14)

/*
 A bug in psc, contained.
 */
#define PSC_ERR_INTERNAL (-15)

/*
 psc_stop gave up waiting: the host's own log callback, a libcurl that cannot be cancelled, or a slow state_dir did
 not return in time.
 */
#define PSC_ERR_TIMEOUT (-16)

/*
 For psc_prepare: start from the defaults instead of the present configuration.
 */
#define PSC_REPLACE 1u

/*
 A handle: one configuration, one log callback, at most one thread. Handles are independent of each other.
 */
typedef struct psc_checker psc_checker;

/*
 A configuration that was checked and is not in force, from psc_prepare; for psc_commit or psc_config_free.
 */
typedef struct psc_config psc_config;

/*
 The result of one check. Immutable, so several threads may read it. One that psc_run_once or psc_verify gave is freed with
 psc_result_free; one that a psc_result_fn is called with is psc's.
 */
typedef struct psc_result psc_result;

/*
 Receives the log, line by line. docs/contract.md, The log callback, has all the rules for it.

 `user_data`: as given to psc_init. `level`: 0 critical, 1 error, 2 warning, 3 notice, 4 info, 5 to 7 debug.
 `message`: one line of printable UTF-8, without a newline, NUL-terminated, at most 1900 bytes, valid during the call
 only. It is data, not a format: print it with "%s".

 It must return, and not by longjmp or an exception. Inside it psc_run_once, psc_start, psc_run, psc_stop, psc_on_result
 and psc_log_drain on the same handle return PSC_ERR_REENTRANT. A child that is forked inside it should exec or _exit; one that returns
 from it leaves psc: the call in which it was made returns PSC_ERR_FORKED, and in psc's own thread the child process
 ends, without atexit handlers.

 Threads: called from psc's thread, or from a thread that is in a call of psc; after psc_log_fd only from
 psc_log_drain. Never two calls at once for one handle; psc holds no lock meanwhile. None after psc_stop or psc_free
 has returned, except for what later calls of the host log.
 */
typedef void (*psc_log_fn)(void *user_data, int level, const char *message);

/*
 Receives the results of the schedule: one for each check that psc_start's thread or psc_run makes, whatever it came to,
 and one for each known update that is repeated (at the start, and once a day). It comes after the log lines of the same
 check, and whatever log_level is. A check that psc_stop has cancelled has one, too, unless psc_stop gave up waiting. That
 checks are disabled, and what psc_run_once and psc_verify return, is not handed over.

 `user_data`: as given to psc_on_result. `result`: never NULL, valid during the call only; read it with the psc_result_
 functions, do not free it.

 The rules are those of psc_log_fn, and the two count as one callback: never two calls at once for one handle, psc holds no
 lock meanwhile, and none comes after psc_stop or psc_free has returned. It must return, and not by longjmp or an
 exception. Inside it psc_run_once, psc_start, psc_run, psc_stop, psc_on_result and psc_log_drain on the same handle return
 PSC_ERR_REENTRANT; psc_free works as in the log callback.

 Threads: as for psc_log_fn; after psc_log_fd only from psc_log_drain.
 */
typedef void (*psc_result_fn)(void *user_data, const struct psc_result *result);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Describes a return code in one sentence.

 `code`: any number.

 Returns a static string, never NULL. Threads: any.
 */
const char *psc_strerror(int code);

/*
 The version of the library that is running, such as "1.2.3". PSC_VERSION is the version of the header.

 Returns a static string, never NULL. Threads: any.
 */
const char *psc_version(void);

/*
 The version of the library that is running, as a number to compare.

 Returns 0xMMmmpp: major, minor, patch. PSC_VERSION_NUMBER is the number of the header. Threads: any.
 */
unsigned int psc_version_number(void);

/*
 Whether libcurl and psc are parts of the same binary. It looks at the running process, so a host that links libpsc.a
 and a static libcurl gets 1 as well.

 Returns 1 if so, 0 when libcurl is a shared library of its own. Threads: any.
 */
int psc_curl_is_static(void);

/*
 For event loops: makes psc queue its log lines instead of calling the callback at once. Wait until the returned
 descriptor is readable, then call psc_log_drain. At most 512 lines are queued; when there are more, the least
 important are dropped first, and a line says how many. Results for psc_on_result wait in their place among the lines; of
 more than 16 the oldest are dropped.

 Call it in the process that will drain; a child process gets a descriptor of its own.

 Returns the descriptor (>= 0), the same one each time in a process. It belongs to psc until psc_free: do not read,
 write or close it. Or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_SYSTEM (no descriptors left). Threads: any.
 */
int psc_log_fd(struct psc_checker *checker);

/*
 Calls the callbacks for each queued line and result, in the calling thread. Also works after psc_stop.

 Returns PSC_OK, also when nothing was queued; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_REENTRANT. Threads:
 any, but not inside the log callback.
 */
int psc_log_drain(struct psc_checker *checker);

/*
 Makes a handle. Starts no thread, keeps no file open and sends nothing.

 `log`: receives the log lines; may be NULL. `user_data`: passed to `log`, otherwise not used. Both must stay valid
 until psc_free has returned.

 Returns the handle, to be freed with psc_free; NULL only when resources run out. Threads: any. The handle may be
 inherited through a fork until psc_start, except while another thread is in a call on it.
 */
struct psc_checker *psc_init(psc_log_fn log, void *user_data);

/*
 Merges the keys of a JSON object into the configuration; null restores a key's default. When anything is wrong
 nothing is applied. The files that it names are read before it returns, so that the host may then drop privileges,
 enter a chroot and fork; files that earlier calls named are not read again. A running thread uses the new
 configuration at once.

 It does what psc_prepare without flags and psc_commit do; calls in several threads at once merge into each other, in
 some order.

 What can change by itself is no error: a default file that is missing, an expired client certificate, a system
 without certificate authorities, an OpenSSL that does not work. It is logged as one warning, and checks fail until
 it is repaired.

 `json`: UTF-8, NUL-terminated, copied. docs/configuration.md lists the keys.

 Returns PSC_OK, PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_CONFIG (psc_last_error and psc_config_errors name
 each wrong key), or PSC_ERR_FILE (a file that a key names cannot be used). Threads: any, also inside the log callback.
 It reads the environment, which no other thread may change meanwhile.
 */
int psc_configure(struct psc_checker *checker, const char *json);

/*
 Makes one check in the calling thread, whatever the schedule says, and logs the result. Blocks for at most the
 configured timeout. In the calling thread it blocks SIGPIPE and SIGXFSZ, and every other signal while libcurl works,
 so that no thread started by libcurl takes one; while psc waits, the host's signal handlers run as usual.

 `result`: receives the complete result, also of a failed check, to be freed with psc_result_free; NULL when no check
 was made. May be NULL itself.

 Returns PSC_OK (no update), PSC_UPDATE_AVAILABLE, PSC_DISABLED, or why the check failed: PSC_ERR_CANCELLED,
 PSC_ERR_FILE, PSC_ERR_NETWORK, PSC_ERR_TLS, PSC_ERR_HTTP, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_NONCE,
 PSC_ERR_SYSTEM, PSC_ERR_INTERNAL. When no check was made: PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured,
 or another check of this handle is under way), PSC_ERR_REENTRANT, PSC_ERR_FORKED. Threads: any, but not inside the
 log callback. Needs 32 KiB of stack, plus thread-local storage, plus what the log callback needs.
 */
int psc_run_once(struct psc_checker *checker, struct psc_result **result);

/*
 Verifies an answer that was carried by other means, for machines without a connection. The rules and the result are
 those of a check. Sends, logs and remembers nothing; works while checks are disabled.

 `response`: the body of the HTTP answer, `length` bytes, not kept. `nonce`: that of the request. The request must be
 the one that this configuration makes with that nonce, which is the `body` of psc_preview_request, without a
 license. `result`: as for psc_run_once.

 Returns what the answer says: PSC_OK, PSC_UPDATE_AVAILABLE, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_NONCE; or
 PSC_ERR_FILE, PSC_ERR_SYSTEM (the keys or OpenSSL cannot be used), PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not
 configured), PSC_ERR_FORKED. Threads: any, also inside the log callback. Needs as much stack as psc_run_once.
 */
int psc_verify(struct psc_checker *checker,
               const char *response,
               size_t length,
               const char *nonce,
               struct psc_result **result);

/*
 Starts the background thread. It makes the first check after start_delay and start_jitter, and then follows the
 schedule. With a state_dir it first finds out whether another process already makes the checks of this host, and
 when the next one is due. While checks are disabled the thread does nothing.

 Call it after the last fork, in the process that is to make the checks.

 Returns PSC_OK, PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured, or already started), PSC_ERR_REENTRANT,
 PSC_ERR_FORKED, PSC_ERR_SYSTEM (no thread or descriptors). Threads: any, but not inside the log callback.
 */
int psc_start(struct psc_checker *checker);

/*
 Makes the checks of the schedule in the calling thread, as psc_start does in one of psc's, until a stop is requested: for
 hosts that name, register and trace their threads. Blocks until then; call psc_log_fd, psc_on_result and, after the last
 fork, psc_run itself as for psc_start.

 psc_request_stop, psc_stop and psc_free in another thread, or psc_request_stop in a signal handler, end it within a second,
 also in the middle of a check. A psc_request_stop that was called before psc_run counts, too, unless psc_stop has returned
 or the schedule has run since: a host that ends its thread by psc_request_stop and joins it cannot come too early. psc_stop
 ends only what has begun.

 Signals: while there is nothing to do the host's handlers run as usual; during a check as in psc_run_once. The thread keeps
 its name and its signal mask.

 Returns PSC_OK after a stop. Otherwise as psc_start, when the schedule has not begun: PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE
 (not configured, or the schedule is running already, by psc_start or psc_run), PSC_ERR_REENTRANT, PSC_ERR_FORKED (also in a
 child that returns from a callback in which it was forked), PSC_ERR_SYSTEM (no descriptors or memory). PSC_ERR_INTERNAL: a
 bug in psc has ended it, which is logged. Threads: any, but not inside the callbacks. Needs as much stack as psc_run_once.
 */
int psc_run(struct psc_checker *checker);

/*
 Cancels a check that is under way, ends the schedule, and waits for both: some milliseconds, at most a second. The
 callbacks are not called any more after it has returned. A thread that is in psc_run leaves it at the same moment; join
 that thread before a fork. psc_stop may be called again, and the handle may be started again.

 Returns PSC_OK, also when nothing was running; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_REENTRANT, PSC_ERR_FORKED.
 PSC_ERR_TIMEOUT: it gave up, because the host's own callback has not returned, a libcurl older than 7.87 hangs in a
 name look-up, or state_dir does not answer. The thread then ends later, without further calls of the callback; until
 it has, do not unload psc, and keep `user_data` valid. Call psc_stop again to wait again. Threads: any, but not
 inside the log callback.
 */
int psc_stop(struct psc_checker *checker);

/*
 Asks the schedule and a check that is under way to end, without waiting. psc_stop or psc_free still has to follow.

 `checker`: NULL does nothing. Preserves `errno`.

 Threads: any, also inside the log callback and in signal handlers (it is async-signal-safe), as long as the handle
 is not being freed.
 */
void psc_request_stop(struct psc_checker *checker);

/*
 Does what psc_stop does, then frees the handle. No other call on the handle may follow.

 `checker`: NULL does nothing.

 A log callback that is running may use the handle until it returns, but must not call psc_free then: psc_free waits
 for it, at most a second. If it takes longer, the memory is freed when it returns.

 Inside the handle's own log callback psc_free does not wait: there are no further calls of the callback, and the
 thread and the memory go when the callback has returned; if it was called from psc_run_once or psc_log_drain, before
 these return.

 In a process that was forked after psc_init it closes psc's descriptors. It does not wait there for locks that
 threads of the parent may have held, and does not give back the handle's memory.

 Threads: any, also inside the log callback.
 */
void psc_free(struct psc_checker *checker);

/*
 Checks a configuration: parses and validates it and reads the files that it names, as psc_configure does. Changes
 nothing that runs, and logs nothing. psc_commit then puts exactly that in force, whatever has become of the files meanwhile.

 `json`: as for psc_configure. `flags`: 0 to merge the keys into the configuration that is in force now, PSC_REPLACE to
 start from the defaults; then every file is read anew, default files too. `config`: receives the checked configuration, to
 be given to psc_commit or psc_config_free; NULL when there is none. It may be kept for as long as the host likes, also
 across a fork, and psc_config_free may come after psc_free.

 A merge is with what is in force during this call. What another thread puts in force between psc_prepare and psc_commit
 is replaced as a whole by psc_commit; hosts that merge in several threads use psc_configure, which tries again then.

 Returns PSC_OK, PSC_ERR_INVALID_ARGUMENT (also for unknown flags), PSC_ERR_FORKED, PSC_ERR_CONFIG (psc_config_errors has
 each wrong key), PSC_ERR_FILE (a file that a key names cannot be used), PSC_ERR_SYSTEM (out of memory). Threads: any, also
 inside the log callback. It reads the environment, which no other thread may change meanwhile.
 */
int psc_prepare(struct psc_checker *checker,
                const char *json,
                unsigned int flags,
                struct psc_config **config);

/*
 Puts a configuration from psc_prepare in force, as a whole. It reads no file and needs no memory that it does not have, so
 it does not fail for what a configuration, a file system or a shortage does. What is worth a warning (see psc_configure) is
 logged now. A running thread uses the new configuration at once.

 `checker`: the handle that it was prepared for. `config`: taken, whatever is returned: it is neither used nor freed after
 that.

 Returns PSC_OK; PSC_ERR_INVALID_ARGUMENT (NULL, or a configuration of another handle), PSC_ERR_FORKED. Threads: any, also
 inside the log callback. A handle and its configurations may be inherited through a fork as psc_init says.
 */
int psc_commit(struct psc_checker *checker,
               struct psc_config *config);

/*
 Frees a configuration from psc_prepare that is not committed; secrets in it are wiped.

 `config`: NULL does nothing. In a child process that was forked since psc_prepare the memory is not given back.

 Threads: any, also inside the log callback, and after psc_free.
 */
void psc_config_free(struct psc_config *config);

/*
 Tells what was wrong with the configuration that the calling thread's last psc_configure or psc_prepare on this handle
 refused, by key, so that a host can name its own directive and line.

 `json`: receives a JSON array, to be freed with psc_string_free: `[{"key": "interval", "text": "..."}]`, one object for
 each problem. `key` is as it was given, null where the text is not a JSON object; `text` does not repeat it. `[]` when
 that call refused nothing, or there was none.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. The text of psc_last_error is gone
 after it. Threads: any, also inside the log callback.
 */
int psc_config_errors(struct psc_checker *checker, char **json);

/*
 Shows what a check would send, and where, without sending anything. Works while checks are disabled; `disabled` is
 true then.

 `json`: receives a JSON object, to be freed with psc_string_free; docs/status.md describes it. It has a fresh nonce.
 Proxy credentials are masked, and license data is shown as "encrypted, N bytes".

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_STATE (not configured), PSC_ERR_SYSTEM; `*json`
 is NULL then. Threads: any, also inside the log callback.
 */
int psc_preview_request(struct psc_checker *checker, char **json);

/*
 Shows the configuration that is in effect, including defaults.

 `json`: receives a JSON object, to be freed with psc_string_free: the keys of docs/configuration.md, and
 `trust_store` (the path) and `server_public_keys` (fingerprints). Proxy credentials are masked.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Threads: any, also inside the log
 callback.
 */
int psc_inspect_config(struct psc_checker *checker, char **json);

/*
 Shows whether the thread is running, what is known about updates, and how old that is. With a state_dir the answer
 is the same in every process that shares it. Reads one small file then; never uses the network.

 `json`: receives a JSON object, to be freed with psc_string_free; docs/status.md describes it.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Threads: any, also inside the log
 callback.
 */
int psc_status(struct psc_checker *checker, char **json);

/*
 Says why the calling thread's last call on this handle failed. For a configuration it names every problem.

 Returns a string, never NULL: "no error" when that call did not fail, a fixed sentence when `checker` is NULL. It is
 valid until the same thread's next call on the handle. Threads: any, also inside the log callback.
 */
const char *psc_last_error(const struct psc_checker *checker);

/*
 What the check came to: the code that psc_run_once or psc_verify returned, or would have.

 Returns that code; PSC_ERR_INVALID_ARGUMENT for NULL. Threads: any.
 */
int psc_result_code(const struct psc_result *result);

/*
 The main line that the check logged. psc_verify logs nothing: for its result, the line that a check would log,
 without the time of the next check.

 Returns a string that is valid until the result is freed; NULL only for NULL. Threads: any.
 */
const char *psc_result_message(const struct psc_result *result);

/*
 The version that the server recommends.

 Returns a string that is valid until the result is freed; NULL when there is no update, when the server named no
 usable version, and for NULL. Threads: any.
 */
const char *psc_result_version(const struct psc_result *result);

/*
 The server's text for administrators, complete and unchanged: it may have several lines and unprintable characters.
 Only a NUL is replaced, by U+FFFD.

 Returns a string that is valid until the result is freed; NULL when there is no text, and for NULL. Threads: any.
 */
const char *psc_result_notice(const struct psc_result *result);

/*
 When the next check is due, counted from the moment when the result was made.

 Returns seconds; 0 when no check is planned, and for NULL. Threads: any.
 */
long long psc_result_next_check(const struct psc_result *result);

/*
 For how long this has been known. With it a psc_result_fn tells an update that is repeated from one that a check has
 found just now.

 Returns seconds since the answer came: 0 for the result of a check, and for NULL; for a known update that is repeated
 usually more. Threads: any.
 */
long long psc_result_age(const struct psc_result *result);

/*
 The HTTP status of the answer.

 Returns the status; 0 when there was no HTTP answer, for an update that is repeated, and for NULL. Threads: any.
 */
int psc_result_http_status(const struct psc_result *result);

/*
 The whole result as JSON, including the list of advisories in the server's text.

 `json`: receives a JSON object, to be freed with psc_string_free; docs/result.schema.json describes it.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT for NULL, PSC_ERR_SYSTEM (out of memory); `*json` is NULL then. Threads:
 any.
 */
int psc_result_json(const struct psc_result *result, char **json);

/*
 Frees a result and the strings that were borrowed from it.

 `result`: NULL does nothing. Not one that a psc_result_fn was called with. Threads: any.
 */
void psc_result_free(struct psc_result *result);

/*
 Sets the callback for the results of the schedule, in place of the one before.

 `on_result`: NULL for none. `user_data`: passed to it, otherwise not used. Both must stay valid until psc_free has
 returned, or until psc_on_result has replaced them. Results that wait for psc_log_drain go to the new one.

 Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (the schedule is running, by psc_start or psc_run, or another
 thread is inside a callback of this handle: nothing is changed), PSC_ERR_REENTRANT, PSC_ERR_FORKED, PSC_ERR_SYSTEM (out
 of memory). Threads: any, but not inside the callbacks.
 */
int psc_on_result(struct psc_checker *checker,
                  psc_result_fn on_result,
                  void *user_data);

/*
 When the host's next check is due. With a state_dir it is the same in every process that shares it, whoever makes the
 check; without, it is this handle's. Reads one small file then, and never waits for another call on the handle.

 Returns seconds; 0: it is due, or is being made just now; -1: none is planned, checks are disabled, or it is not known (not
 configured, NULL, forked, out of memory: psc_last_error says so). Threads: any, also inside the callbacks.
 */
long long psc_next_check(struct psc_checker *checker);

/*
 How long ago the host's last check began, in this process or in one that shares the state_dir. One that was cancelled, or
 whose end is not known, counts. Reads and waits as psc_next_check does; works while checks are disabled.

 Returns seconds; -1: no check is known, or as for psc_next_check. Threads: any, also inside the callbacks.
 */
long long psc_last_check_age(struct psc_checker *checker);

/*
 Prepares the configured state_dir for the user that the host will run as. Call it as root, before the host becomes
 that user, at each start and reload. A process that is not root can only do so for its own user.

 `uid`, `gid`: of that user. A missing directory is created, for that user alone (0700), if its parent exists. An
 existing one must belong to that user and must not be writable by others. If it belongs to the user that the server
 ran as before, and contains nothing but psc's files, it is handed over, and what psc knows is kept. Nothing else is
 changed: nothing that is shared, and nothing that a user other than root could have put in its place. Inside a
 directory of that user's own nothing is done: the process that runs as that user creates what is missing.

 Returns PSC_OK, also when no state_dir is configured. PSC_ERR_FILE: the directory cannot be used, and psc would work
 without it; psc_last_error says why and what to do. PSC_ERR_SYSTEM (no descriptors or memory),
 PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED. Works while checks are disabled. Threads: any, also inside the log
 callback. It waits for the file system, and at most half a second for a process that is writing there.
 */
int psc_make_state_dir(struct psc_checker *checker, unsigned int uid, unsigned int gid);

/*
 Frees a string that psc returned through a `char **`.

 `string`: NULL does nothing. Threads: any.
 */
void psc_string_free(char *string);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PSC_H */
