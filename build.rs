//! Link options of libpsc.so.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // libcurl may leave a resolver thread behind when a hanging look-up is cancelled. It runs in libcurl's code, which
    // must not be unmapped under it; libcurl stays as long as libpsc.so does.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
