// agent.cpp: a daemon with an event loop that has psc check for security updates.
//
//     agent CONFIG LOGFILE    runs in the foreground until SIGTERM or SIGINT
//     agent --test CONFIG     says whether CONFIG is good; contacts nobody
//
// CONFIG holds psc's configuration, one JSON object. Signals:
//
//     SIGHUP             reads CONFIG again. It is the whole configuration: a key that it no longer
//                        contains has its default again. A wrong configuration changes nothing
//                        and is logged.
//     SIGUSR1            opens LOGFILE again, after it was rotated
//     SIGTERM, SIGINT    ends, within a second even in the middle of a check
//
// Everything happens in this one thread: signals arrive through a signalfd, psc's log lines through
// psc_log_fd. psc's own thread never calls into the agent.

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "psc.hpp"

namespace {

enum Level { ERROR = 1, NOTICE = 3 };

std::string system_error(const std::string &what) {
    return what + ": " + std::strerror(errno);
}

class LogFile {
public:
    explicit LogFile(const std::string &path) : path_(path), fd_(-1) {}
    ~LogFile() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    LogFile(const LogFile &) = delete;
    LogFile &operator=(const LogFile &) = delete;

    // When the new file cannot be opened, goes on with the old one.
    bool reopen() {
        // O_NONBLOCK: a pipe that nobody reads must not make the agent wait.
        const int fd = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
        if (fd < 0) {
            return false;
        }
        if (fd_ >= 0) {
            close(fd_);
        }
        fd_ = fd;
        return true;
    }

    void write(int level, const std::string &message) {
        static const char *const names[] = {"critical", "error", "warning", "notice", "info", "debug"};
        const char *name = names[level < 0 ? 0 : level > 5 ? 5 : level];
        const std::time_t now = std::time(nullptr);
        std::tm utc;
        char stamp[32];
        std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
        append(std::string(stamp) + " agent[" + std::to_string(getpid()) + "] " + name + ": " + message + "\n");
    }

private:
    void append(const std::string &line) {
        std::size_t done = 0;
        while (done < line.size()) {
            const ssize_t written = ::write(fd_, line.data() + done, line.size() - done);
            if (written >= 0) {
                done += static_cast<std::size_t>(written);
            } else if (errno != EINTR) {
                return;  // a full disk or pipe must not stop the agent
            }
        }
    }

    std::string path_;
    int fd_;
};

// A configuration that was checked, and is not in effect yet.
struct Prepared {
    std::string json;
    std::vector<std::string> keys;  // as written, with their quotes
};

// psc has accepted the text, so it is one flat JSON object.
std::vector<std::string> keys_of(const std::string &json) {
    std::vector<std::string> keys;
    bool key_is_next = true;
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (json[i] == ',') {
            key_is_next = true;
        } else if (json[i] == '"') {
            const std::size_t start = i++;
            while (json[i] != '"') {
                i += json[i] == '\\' ? 2U : 1U;
            }
            if (key_is_next) {
                keys.push_back(json.substr(start, i + 1 - start));
                key_is_next = false;
            }
        }
    }
    return keys;
}

psc::Status unreadable(const std::string &why) {
    return psc::Status(PSC_ERR_FILE, "cannot read it: " + why);
}

psc::Status read_open_file(int fd, std::string &content) {
    const std::size_t most = 1 << 20;
    struct stat found;
    if (fstat(fd, &found) != 0) {
        return unreadable(std::strerror(errno));
    }
    if (!S_ISREG(found.st_mode)) {
        return unreadable("not a regular file");
    }
    std::vector<char> buffer(1 << 16);
    for (;;) {
        const ssize_t count = read(fd, buffer.data(), buffer.size());
        if (count == 0) {
            return psc::Status();
        }
        if (count > 0) {
            content.append(buffer.data(), static_cast<std::size_t>(count));
        } else if (errno != EINTR) {
            return unreadable(std::strerror(errno));
        }
        if (content.size() > most) {
            return unreadable("larger than a configuration can be");
        }
    }
}

// O_NONBLOCK: a pipe in the place of the file, to which nobody writes, must not make the agent wait.
psc::Status read_file(const std::string &path, std::string &content) {
    const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return unreadable(std::strerror(errno));
    }
    psc::Status status = read_open_file(fd, content);
    close(fd);
    return status;
}

// Tries the configuration on a checker of its own, which starts no thread and opens no connection.
psc::Status prepare(const std::string &path, Prepared &prepared) {
    std::string json;
    psc::Status status = read_file(path, json);
    if (!status.ok()) {
        return status;
    }
    psc::Checker trial;
    status = trial.configure(json);
    if (status.ok()) {
        status = trial.configure("{\"disabled\": true}");
    }
    if (status.ok()) {
        status = trial.run_once();  // sends nothing now; fails when something is missing
    }
    if (status.ok()) {
        prepared.json = json;
        prepared.keys = keys_of(json);
    }
    return status;
}

class Agent {
public:
    Agent(const std::string &config_path, const std::string &log_path)
        : config_path_(config_path),
          log_(log_path),
          checker_([this](int level, const std::string &line) { log_.write(level, line); }),
          signal_fd_(-1) {}
    ~Agent() {
        if (signal_fd_ >= 0) {
            close(signal_fd_);
        }
    }
    Agent(const Agent &) = delete;
    Agent &operator=(const Agent &) = delete;

    // An error's text, or nothing.
    std::string start() {
        if (!log_.reopen()) {
            return system_error("cannot open the log file");
        }
        // From now on psc's log lines wait until this thread fetches them.
        if (checker_.log_fd() < 0) {
            return psc_last_error(checker_.get());
        }
        psc::Status status = configure();
        if (!status.ok()) {
            return config_path_ + " refused: " + status.message();
        }
        if (!open_signal_fd()) {
            return system_error("cannot receive signals");
        }
        // After the signals are blocked, so that psc's thread never takes one.
        status = checker_.start();
        return status.message();
    }

    // The exit code.
    int run() {
        log_.write(NOTICE, "started");
        pollfd waiting[] = {{signal_fd_, POLLIN, 0}, {checker_.log_fd(), POLLIN, 0}};
        bool running = true;
        int exit_code = 0;
        while (running) {
            if (poll(waiting, 2, -1) < 0 && errno != EINTR) {
                log_.write(ERROR, system_error("poll"));
                exit_code = 1;
                break;
            }
            if (waiting[1].revents != 0) {
                checker_.log_drain();
            }
            if (waiting[0].revents != 0) {
                running = take_signal();
            }
        }
        const psc::Status stopped = checker_.stop();  // cancels a check in flight
        checker_.log_drain();
        log_.write(NOTICE, "stopped");
        if (!stopped.ok()) {
            _exit(exit_code);  // a thread may be in OpenSSL, which exit() would clean up under it
        }
        return exit_code;
    }

private:
    bool open_signal_fd() {
        sigset_t signals;
        sigemptyset(&signals);
        for (int number : {SIGHUP, SIGUSR1, SIGTERM, SIGINT}) {
            sigaddset(&signals, number);
        }
        if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
            return false;
        }
        signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        return signal_fd_ >= 0;
    }

    // False when the agent has to end.
    bool take_signal() {
        signalfd_siginfo signal;
        if (read(signal_fd_, &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) {
            return true;
        }
        switch (signal.ssi_signo) {
        case SIGHUP:
            reload();
            return true;
        case SIGUSR1:
            if (!log_.reopen()) {
                log_.write(ERROR, system_error("cannot open the log file again"));
            }
            return true;
        default:
            return false;
        }
    }

    void reload() {
        const psc::Status status = configure();
        if (status.ok()) {
            log_.write(NOTICE, config_path_ + " is in force");
        } else {
            log_.write(ERROR, config_path_ + " refused, nothing was changed: " + status.message());
        }
    }

    psc::Status configure() {
        Prepared prepared;
        psc::Status status = prepare(config_path_, prepared);
        if (status.ok()) {
            status = commit(prepared);
        }
        return status;
    }

    // psc merges keys, all or nothing; null restores the default of a key that is gone.
    psc::Status commit(const Prepared &prepared) {
        std::string resets;
        for (const std::string &key : keys_in_force_) {
            bool still_there = false;
            for (const std::string &other : prepared.keys) {
                still_there = still_there || other == key;
            }
            if (!still_there) {
                resets += key + ":null,";
            }
        }
        std::string json = prepared.json;
        json.insert(json.find('{') + 1, resets);
        const psc::Status status = checker_.configure(json);
        if (status.ok()) {
            keys_in_force_ = prepared.keys;
        }
        return status;
    }

    std::string config_path_;
    LogFile log_;  // named before checker_: psc logs until the checker is gone
    psc::Checker checker_;
    int signal_fd_;
    std::vector<std::string> keys_in_force_;
};

int test(const std::string &path) {
    Prepared prepared;
    const psc::Status status = prepare(path, prepared);
    if (!status.ok()) {
        std::cerr << path << ": " << status.message() << "\n";
        return 1;
    }
    std::cout << path << " is good\n";
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: agent CONFIG LOGFILE\n       agent --test CONFIG\n";
        return 2;
    }
    if (std::string(argv[1]) == "--test") {
        return test(argv[2]);
    }
    std::signal(SIGPIPE, SIG_IGN);  // the log may be a pipe
    Agent agent(argv[1], argv[2]);
    const std::string error = agent.start();
    if (!error.empty()) {
        std::cerr << "agent: " << error << "\n";
        return 1;
    }
    return agent.run();
}
