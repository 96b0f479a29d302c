//! What the library promises to any host that loads it: the header and what it is linked with, and that no order of calls, no
//! failed allocation and no failed system call harms the process.

mod curl_static;
mod drift;
mod fuzz;
mod header;
mod memory;
mod system_calls;
