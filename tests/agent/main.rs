//! The C++ side: the wrapper include/psc.hpp and the daemon examples-c/agent.cpp.

mod daemon;
mod support;
mod wrapper;
