// psc.hpp: psc for C++11 and newer. Header only: include it and link with -lpsc.
//
//     psc::Checker checker([](int level, const std::string &line) { log(level, line); });
//     psc::Status status = checker.configure(json);
//     if (!status.ok()) {
//         die(status.message());
//     }
//     status = checker.start();
//
// psc.h says what each function does and when it may be called, docs/contract.md has the general rules. This
// wrapper adds ownership, no behaviour.
//
// Errors. Every call that can fail returns a psc::Status: a code of psc.h and, for a failure, the reason in
// words. A failed check or a wrong configuration throws nothing. Only running out of memory does: std::bad_alloc.
//
// Exceptions never pass through psc. When the log function throws, this wrapper catches the exception, the log
// line is lost, and Checker::contained_exceptions() counts it.
//
// Ownership. Checker, Config, Result and Text are move-only. Moving a Checker does not move its log function, which is
// on the heap and is destroyed after psc_free has returned. What the log function captures must live as long as
// the Checker. The log function may destroy its Checker, but not while one of that Checker's members is being
// called. It may use its Checker while another thread destroys it; the destructor waits for it, at most a second,
// and after that it must not use the Checker any more.
//
// A moved-from Checker is empty: every call returns PSC_ERR_INVALID_ARGUMENT or does nothing.

#ifndef PSC_HPP
#define PSC_HPP

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "psc.h"

namespace psc {

// Receives one line, without a newline. Levels: 0 critical, 1 error, 2 warning, 3 notice, 4 info, 5 to 7 debug.
typedef std::function<void(int level, const std::string &line)> Log;

// What a call returned.
class Status {
public:
    Status() : code_(PSC_OK) {}
    Status(int code, std::string message) : code_(code), message_(std::move(message)) {}

    int code() const { return code_; }
    bool ok() const { return code_ >= 0; }
    // The reason of a failure; empty otherwise.
    const std::string &message() const { return message_; }

private:
    int code_;
    std::string message_;
};

// Owns a text from psc: JSON, always NUL-terminated.
class Text {
public:
    Text() : text_(nullptr) {}
    ~Text() { psc_string_free(text_); }
    Text(const Text &) = delete;
    Text &operator=(const Text &) = delete;
    Text(Text &&other) noexcept : text_(other.release()) {}
    Text &operator=(Text &&other) noexcept {
        reset(other.release());
        return *this;
    }

    bool empty() const { return text_ == nullptr; }
    const char *c_str() const { return text_ != nullptr ? text_ : ""; }
    std::string str() const { return c_str(); }

    // For C functions that return a text through a char **: frees the old text and returns where to put the new one.
    char **out() {
        reset(nullptr);
        return &text_;
    }

private:
    char *release() noexcept {
        char *text = text_;
        text_ = nullptr;
        return text;
    }
    void reset(char *text) noexcept {
        psc_string_free(text_);
        text_ = text;
    }

    char *text_;
};

// The result of one check. Empty when no check was made.
class Result {
public:
    Result() : result_(nullptr) {}
    ~Result() { psc_result_free(result_); }
    Result(const Result &) = delete;
    Result &operator=(const Result &) = delete;
    Result(Result &&other) noexcept : result_(other.release()) {}
    Result &operator=(Result &&other) noexcept {
        reset(other.release());
        return *this;
    }

    bool empty() const { return result_ == nullptr; }
    int code() const { return psc_result_code(result_); }
    bool update_available() const { return !empty() && code() == PSC_UPDATE_AVAILABLE; }
    std::string message() const { return text(psc_result_message(result_)); }
    // The recommended version; empty unless an update is available.
    std::string version() const { return text(psc_result_version(result_)); }
    // The complete text from the server; empty when it sent none.
    std::string notice() const { return text(psc_result_notice(result_)); }
    long long next_check() const { return psc_result_next_check(result_); }
    // Seconds for which this has been known: 0 but for a known update that is repeated.
    long long age() const { return psc_result_age(result_); }
    int http_status() const { return psc_result_http_status(result_); }

    // The whole result as one JSON object; docs/result.schema.json describes it.
    Status json(Text &json) const {
        const int code = psc_result_json(result_, json.out());
        return Status(code, code < 0 ? psc_strerror(code) : "");
    }

    const psc_result *get() const { return result_; }

    // For C functions that return a psc_result **: frees the old result and returns where to put the new one.
    psc_result **out() {
        reset(nullptr);
        return &result_;
    }

private:
    friend class Checker;  // lends one for the duration of a callback

    static std::string text(const char *borrowed) { return borrowed != nullptr ? borrowed : ""; }

    psc_result *release() noexcept {
        psc_result *result = result_;
        result_ = nullptr;
        return result;
    }
    void reset(psc_result *result) noexcept {
        psc_result_free(result_);
        result_ = result;
    }

    psc_result *result_;
};

// A configuration from Checker::prepare that is not in force. Frees it unless Checker::commit takes it. May outlive its
// Checker.
class Config {
public:
    Config() : config_(nullptr) {}
    ~Config() { psc_config_free(config_); }
    Config(const Config &) = delete;
    Config &operator=(const Config &) = delete;
    Config(Config &&other) noexcept : config_(other.release()) {}
    Config &operator=(Config &&other) noexcept {
        reset(other.release());
        return *this;
    }

    bool empty() const { return config_ == nullptr; }

    // For C functions that return a psc_config **: frees the old one and returns where to put the new one.
    psc_config **out() {
        reset(nullptr);
        return &config_;
    }
    // For C functions that take it over.
    psc_config *release() noexcept {
        psc_config *config = config_;
        config_ = nullptr;
        return config;
    }

private:
    void reset(psc_config *config) noexcept {
        psc_config_free(config_);
        config_ = config;
    }

    psc_config *config_;
};

// Receives the results of the schedule. The rules of the log function hold for it.
typedef std::function<void(const Result &result)> OnResult;

class Checker {
public:
    // Without a log function nothing is logged.
    explicit Checker(Log log = Log()) : sink_(std::make_shared<Sink>()), checker_(nullptr) {
        sink_->log = std::move(log);
        checker_ = sink_->log ? psc_init(&Checker::deliver, sink_.get()) : psc_init(nullptr, nullptr);
        if (checker_ == nullptr) {
            throw std::bad_alloc();
        }
    }

    // Stops the thread and cancels a check that is under way, within a second. Afterwards the log function is not
    // called any more.
    ~Checker() { psc_free(checker_); }

    Checker(const Checker &) = delete;
    Checker &operator=(const Checker &) = delete;
    Checker(Checker &&other) noexcept : sink_(std::move(other.sink_)), checker_(other.checker_) {
        other.checker_ = nullptr;
    }
    Checker &operator=(Checker &&other) noexcept {
        // Through a third one, so that self-assignment changes nothing.
        Checker moved(std::move(other));
        swap(moved);
        return *this;
    }
    void swap(Checker &other) noexcept {
        std::swap(sink_, other.sink_);
        std::swap(checker_, other.checker_);
    }

    bool empty() const { return checker_ == nullptr; }

    Status configure(const char *json) { return status(psc_configure(checker_, json)); }
    Status configure(const std::string &json) {
        return has_nul(json) ? nul_inside() : configure(json.c_str());
    }

    // Checks a configuration without putting it in force. `flags`: 0, or PSC_REPLACE.
    Status prepare(const char *json, unsigned flags, Config &config) {
        return status(psc_prepare(checker_, json, flags, config.out()));
    }
    Status prepare(const std::string &json, unsigned flags, Config &config) {
        config = Config();
        return has_nul(json) ? nul_inside() : prepare(json.c_str(), flags, config);
    }
    // The code of psc_commit: PSC_OK, but for an empty Config or one of another Checker, and in a forked process.
    int commit(Config &&config) noexcept { return psc_commit(checker_, config.release()); }
    // What was wrong with the configuration that the calling thread's last configure or prepare refused.
    Status config_errors(Text &json) { return status(psc_config_errors(checker_, json.out())); }

    Status run_once() { return status(psc_run_once(checker_, nullptr)); }
    Status run_once(Result &result) { return status(psc_run_once(checker_, result.out())); }

    // Verifies an answer that was carried by other means.
    Status verify(const char *response, std::size_t length, const char *nonce, Result &result) {
        return status(psc_verify(checker_, response, length, nonce, result.out()));
    }
    Status verify(const std::string &response, const std::string &nonce, Result &result) {
        result = Result();
        return has_nul(nonce) ? nul_inside() : verify(response.data(), response.size(), nonce.c_str(), result);
    }

    Status start() { return status(psc_start(checker_)); }
    // The schedule in the calling thread, until a stop is requested.
    Status run() { return status(psc_run(checker_)); }
    // Before start and run. An empty function: none.
    Status on_result(OnResult function) {
        if (empty()) {
            return Status(PSC_ERR_INVALID_ARGUMENT, psc_last_error(nullptr));
        }
        // psc refuses while another thread may be in the function that is replaced.
        const Status taken = status(psc_on_result(checker_, nullptr, nullptr));
        if (!taken.ok()) {
            return taken;
        }
        sink_->on_result = std::move(function);
        return sink_->on_result ? status(psc_on_result(checker_, &Checker::deliver_result, sink_.get())) : taken;
    }
    Status stop() { return status(psc_stop(checker_)); }
    // Async-signal-safe.
    void request_stop() noexcept { psc_request_stop(checker_); }

    // Seconds; -1 when it is not known.
    long long next_check() { return psc_next_check(checker_); }
    long long last_check_age() { return psc_last_check_age(checker_); }

    // For event loops: a descriptor, owned by psc, that is readable when log_drain has something to deliver; or
    // the code of a failure, which is negative.
    int log_fd() { return psc_log_fd(checker_); }
    Status log_drain() { return status(psc_log_drain(checker_)); }

    // Called by root, before it becomes the user that the host runs as: prepares the configured state_dir for that user.
    Status make_state_dir(unsigned uid, unsigned gid) { return status(psc_make_state_dir(checker_, uid, gid)); }

    Status preview_request(Text &json) { return status(psc_preview_request(checker_, json.out())); }
    Status inspect_config(Text &json) { return status(psc_inspect_config(checker_, json.out())); }
    // psc_status. (psc::Status is something else, hence the name.)
    Status describe(Text &json) { return status(psc_status(checker_, json.out())); }

    // How many log lines and results were lost because the log or result function threw.
    unsigned long contained_exceptions() const { return sink_ ? sink_->exceptions.load() : 0; }

    // The C handle, still owned by this object; nullptr when it is empty.
    psc_checker *get() const { return checker_; }

private:
    struct Sink : std::enable_shared_from_this<Sink> {
        Sink() : exceptions(0) {}
        Log log;
        OnResult on_result;
        std::atomic<unsigned long> exceptions;
    };

    // Called by psc, perhaps in its own thread. Keeps the log function alive while it runs, because it may destroy
    // its own Checker.
    static void deliver(void *user_data, int level, const char *message) noexcept {
        const std::shared_ptr<Sink> sink = static_cast<Sink *>(user_data)->shared_from_this();
        try {
            sink->log(level, message);
        } catch (...) {
            ++sink->exceptions;
        }
    }

    static void deliver_result(void *user_data, const psc_result *result) noexcept {
        const std::shared_ptr<Sink> sink = static_cast<Sink *>(user_data)->shared_from_this();
        Result borrowed;
        borrowed.result_ = const_cast<psc_result *>(result);
        try {
            sink->on_result(borrowed);
        } catch (...) {
            ++sink->exceptions;
        }
        borrowed.release();
    }

    Status status(int code) const {
        return Status(code, code < 0 ? psc_last_error(checker_) : "");
    }

    // For C such a string would end at the NUL.
    static bool has_nul(const std::string &text) { return text.find('\0') != std::string::npos; }
    static Status nul_inside() { return Status(PSC_ERR_INVALID_ARGUMENT, "a NUL byte inside the text"); }

    std::shared_ptr<Sink> sink_;  // named before checker_: it must outlive the handle
    psc_checker *checker_;
};

inline void swap(Checker &left, Checker &right) noexcept { left.swap(right); }

}  // namespace psc

#endif  // PSC_HPP
