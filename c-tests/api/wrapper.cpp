// The C++ wrapper: ownership, moves, and exceptions that stay where they are.
//
//     wrapper CONFIG    CONFIG: psc's configuration, with a server that answers "update available"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "psc.hpp"

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
            std::exit(1);                                                           \
        }                                                                           \
    } while (0)

namespace {

static_assert(!std::is_copy_constructible<psc::Checker>::value, "a checker is move-only");
static_assert(!std::is_copy_assignable<psc::Checker>::value, "a checker is move-only");
static_assert(!std::is_copy_constructible<psc::Config>::value, "a configuration is move-only");
static_assert(!std::is_copy_constructible<psc::Result>::value, "a result is move-only");
static_assert(!std::is_copy_constructible<psc::Text>::value, "a text is move-only");
static_assert(std::is_nothrow_move_constructible<psc::Checker>::value, "moving a checker cannot fail");
static_assert(std::is_nothrow_move_assignable<psc::Checker>::value, "moving a checker cannot fail");
static_assert(std::is_nothrow_move_assignable<psc::Config>::value, "moving a configuration cannot fail");
static_assert(std::is_nothrow_move_assignable<psc::Result>::value, "moving a result cannot fail");
static_assert(std::is_nothrow_move_assignable<psc::Text>::value, "moving a text cannot fail");

// A check with this configuration sends nothing and logs one line.
const char *const SWITCHED_OFF =
    "{\"passenger_version\": \"1\", \"server_identifier\": \"test\", \"disabled\": true, \"log_level\": 7}";

std::string config;

// By another name, because compilers warn of the plain spelling.
template <typename T> void move_to_itself(T &object) {
    T &same = object;
    object = std::move(same);
}

void an_empty_checker_refuses_everything() {
    psc::Checker checker;
    psc::Checker moved(std::move(checker));
    CHECK(!moved.empty());
    CHECK(checker.empty());
    CHECK(checker.get() == nullptr);

    psc::Result result;
    psc::Text text;
    CHECK(checker.configure(config).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(!checker.configure(config).message().empty());
    CHECK(checker.run_once().code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.run_once(result).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.verify("{}", "nonce", result).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(result.empty());
    CHECK(checker.start().code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.run().code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.on_result([](const psc::Result &) {}).code() == PSC_ERR_INVALID_ARGUMENT);
    psc::Config prepared;
    CHECK(checker.prepare(config, 0, prepared).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(prepared.empty());
    CHECK(checker.commit(std::move(prepared)) == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.config_errors(text).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.next_check() == -1 && checker.last_check_age() == -1);
    CHECK(checker.stop().code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.log_fd() < 0);
    CHECK(checker.log_drain().code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.describe(text).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.inspect_config(text).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.preview_request(text).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(checker.make_state_dir(1, 1).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(text.empty());
    CHECK(checker.contained_exceptions() == 0);
    checker.request_stop();
}

void an_empty_result_has_empty_texts() {
    psc::Result result;
    psc::Text json;
    CHECK(result.empty());
    CHECK(!result.update_available());
    CHECK(result.message().empty());
    CHECK(result.version().empty());
    CHECK(result.notice().empty());
    CHECK(result.json(json).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(!result.json(json).message().empty());
    CHECK(json.empty() && json.str().empty());
}

void a_failure_says_why() {
    psc::Checker checker;
    CHECK(checker.configure("{}").ok());
    CHECK(checker.configure("{}").message().empty());
    const psc::Status bad = checker.configure("{\"interval\": 1}");
    CHECK(!bad.ok());
    CHECK(bad.code() == PSC_ERR_CONFIG);
    CHECK(bad.message().find("interval") != std::string::npos);
    CHECK(checker.run_once().code() == PSC_ERR_STATE);
    // C would take the part before the NUL for the whole.
    CHECK(checker.configure(std::string("{}\0{}", 5)).code() == PSC_ERR_INVALID_ARGUMENT);
    psc::Result result;
    CHECK(checker.verify("{}", std::string("a\0b", 3), result).code() == PSC_ERR_INVALID_ARGUMENT);
}

void a_configuration_is_put_in_force_in_two_steps() {
    psc::Checker checker;
    psc::Config prepared;
    psc::Text json;
    CHECK(checker.prepare("{\"interval\": 1}", 0, prepared).code() == PSC_ERR_CONFIG);
    CHECK(prepared.empty());
    CHECK(checker.config_errors(json).ok());
    CHECK(json.str().find("\"key\":\"interval\"") != std::string::npos);

    CHECK(checker.prepare(config, PSC_REPLACE, prepared).ok() && !prepared.empty());
    CHECK(checker.run_once().code() == PSC_ERR_STATE);  // not in force yet
    CHECK(checker.commit(std::move(prepared)) == PSC_OK);
    CHECK(prepared.empty());
    CHECK(checker.run_once().code() == PSC_UPDATE_AVAILABLE);

    // Freed unless it is taken, also when another one takes its place.
    CHECK(checker.prepare(SWITCHED_OFF, 0, prepared).ok());
    CHECK(checker.prepare(SWITCHED_OFF, 0, prepared).ok());
    psc::Config moved(std::move(prepared));
    prepared = std::move(moved);
    move_to_itself(prepared);
    CHECK(!prepared.empty() && moved.empty());
    CHECK(checker.prepare(std::string("{}\0{}", 5), 0, prepared).code() == PSC_ERR_INVALID_ARGUMENT);
    CHECK(prepared.empty());
    CHECK(checker.prepare(SWITCHED_OFF, 0, prepared).ok());
    psc::Checker another;
    CHECK(another.commit(std::move(prepared)) == PSC_ERR_INVALID_ARGUMENT);
    CHECK(prepared.empty());
}

// The schedule in a thread of the host's, and its results.
void a_result_is_handed_over() {
    psc::Checker checker;
    std::promise<std::string> found;
    bool is_first = true;
    CHECK(checker.configure(config).ok());
    CHECK(checker.configure("{\"start_delay\": 0, \"start_jitter\": 0}").ok());
    CHECK(checker.on_result([&](const psc::Result &result) {
        if (is_first) {
            is_first = false;
            found.set_value(result.version());
        }
        throw std::runtime_error("ends in the wrapper");
    }).ok());
    std::thread schedule([&checker] { CHECK(checker.run().ok()); });
    CHECK(found.get_future().get() == "6.0.20");
    checker.request_stop();
    schedule.join();
    CHECK(checker.stop().ok());
    CHECK(checker.contained_exceptions() == 1);
    CHECK(checker.next_check() > 0 && checker.last_check_age() >= 0);
    CHECK(checker.on_result(psc::OnResult()).ok());
}

void moving_keeps_the_log_function() {
    std::vector<std::string> lines;
    psc::Checker first([&lines](int level, const std::string &line) {
        CHECK(level == 4);  // "disabled"
        lines.push_back(line);
    });
    CHECK(first.configure(SWITCHED_OFF).ok());
    psc::Checker second(std::move(first));
    psc::Checker third;
    third = std::move(second);
    move_to_itself(third);
    CHECK(!third.empty());
    CHECK(third.run_once().code() == PSC_DISABLED);
    CHECK(!lines.empty());

    const std::size_t before = lines.size();
    psc::Checker fourth;
    swap(third, fourth);
    CHECK(third.configure(SWITCHED_OFF).ok());
    CHECK(third.run_once().code() == PSC_DISABLED);
    CHECK(lines.size() == before);
    CHECK(fourth.run_once().code() == PSC_DISABLED);
    CHECK(lines.size() > before);
}

void what_the_log_function_throws_ends_in_the_wrapper() {
    int calls = 0;
    psc::Checker checker([&calls](int, const std::string &) {
        ++calls;
        if (calls % 2 == 1) {
            throw std::runtime_error("the host's disk is full");
        }
        throw 42;
    });
    CHECK(checker.configure(SWITCHED_OFF).ok());
    CHECK(checker.run_once().code() == PSC_DISABLED);
    CHECK(checker.run_once().code() == PSC_DISABLED);
    CHECK(calls >= 2);
    CHECK(checker.contained_exceptions() == static_cast<unsigned long>(calls));
}

void the_background_thread_survives_a_throwing_log_function() {
    std::promise<void> called;
    bool first = true;
    psc::Checker checker([&called, &first](int, const std::string &) {
        if (first) {
            first = false;
            called.set_value();
        }
        throw std::runtime_error("from psc's own thread");
    });
    CHECK(checker.configure(config).ok());
    CHECK(checker.start().ok());
    CHECK(called.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    psc::Text text;
    CHECK(checker.describe(text).ok());
    CHECK(checker.stop().ok());
    CHECK(checker.contained_exceptions() > 0);
    CHECK(checker.start().ok());
}

// The log function goes after the last record, and not much later either.
void the_log_function_outlives_the_handle() {
    std::shared_ptr<int> captured = std::make_shared<int>(0);
    std::weak_ptr<int> watched = captured;
    {
        psc::Checker checker([captured](int, const std::string &) { ++*captured; });
        captured.reset();
        psc::Checker moved(std::move(checker));
        CHECK(moved.configure(config).ok());
        CHECK(moved.start().ok());
        CHECK(!watched.expired());
    }
    CHECK(watched.expired());
}

void the_log_function_may_destroy_its_checker() {
    std::unique_ptr<psc::Checker> checker;
    std::string last;
    checker.reset(new psc::Checker([&checker, &last](int, const std::string &line) {
        checker.reset();
        last = line;  // what was captured is still there
    }));
    CHECK(checker->configure(SWITCHED_OFF).ok());
    // Through the C handle: the C++ object is gone when psc_run_once returns.
    psc_run_once(checker->get(), nullptr);
    CHECK(checker == nullptr);
    CHECK(!last.empty());
}

void a_verdict_can_be_read_and_moved() {
    psc::Checker checker;
    CHECK(checker.configure(config).ok());
    psc::Result result;
    const psc::Status status = checker.run_once(result);
    CHECK(status.code() == PSC_UPDATE_AVAILABLE);
    CHECK(status.ok() && status.message().empty());
    CHECK(checker.run_once(result).ok());  // the first verdict is freed

    psc::Result moved(std::move(result));
    CHECK(result.empty());
    result = std::move(moved);
    move_to_itself(result);
    CHECK(result.update_available());
    CHECK(result.get() != nullptr);
    CHECK(result.message().find("security update is available") != std::string::npos);
    CHECK(result.version() == "6.0.20");
    CHECK(result.notice().find("Fixed in") != std::string::npos);
    CHECK(result.http_status() == 200);
    CHECK(result.next_check() >= 43200);

    psc::Text json;
    CHECK(result.json(json).ok());
    CHECK(result.json(json).ok());  // the first text is freed
    psc::Text moved_json(std::move(json));
    json = std::move(moved_json);
    move_to_itself(json);
    CHECK(json.str().find("PSC_UPDATE_AVAILABLE") != std::string::npos);

    psc::Text text;
    CHECK(checker.describe(text).ok() && text.str().find("\"running\"") != std::string::npos);
    CHECK(checker.inspect_config(text).ok() && text.str().find("\"interval\"") != std::string::npos);
    CHECK(checker.make_state_dir(1, 1).ok());  // there is none to make
    CHECK(checker.preview_request(text).ok() && text.str().find("\"nonce\"") != std::string::npos);
    const psc::Status fields_are_missing = checker.verify("{}", "nonce", result);
    CHECK(fields_are_missing.code() == PSC_ERR_RESPONSE);
    CHECK(result.code() == PSC_ERR_RESPONSE);
    // Every byte counts: a space at the end is none too few, a bracket is one too many.
    CHECK(checker.verify("{} ", "nonce", result).message() == fields_are_missing.message());
    CHECK(checker.verify("{}]", "nonce", result).message() != fields_are_missing.message());
    // Not the verdict of before.
    CHECK(!checker.verify("{}", std::string("a\0b", 3), result).ok() && result.empty());
}

}  // namespace

int main(int argc, char **argv) {
    CHECK(argc == 2);
    config = argv[1];
    an_empty_checker_refuses_everything();
    an_empty_result_has_empty_texts();
    a_failure_says_why();
    a_configuration_is_put_in_force_in_two_steps();
    a_result_is_handed_over();
    moving_keeps_the_log_function();
    what_the_log_function_throws_ends_in_the_wrapper();
    the_background_thread_survives_a_throwing_log_function();
    the_log_function_outlives_the_handle();
    the_log_function_may_destroy_its_checker();
    a_verdict_can_be_read_and_moved();
    std::puts("wrapper: ok");
    return 0;
}
