//! Living inside someone else's process: thread, schedule, fork, stop, one check per host. The programs are
//! c-tests/life-*.c, hosts without a web server; docs/host-events.md says which event each of them plays.

mod clock;
mod configuration;
mod cycles;
mod due;
mod events;
mod host;
mod interpreter;
mod leaving;
mod sanitizers;
mod shared_state;
mod spoilt_state;
mod stack;
mod stop;
mod support;
mod thread;
mod verdict;
