//! Link options of libpsc.so.

use std::path::Path;

/// What a program that was linked with libpsc.so asks the dynamic linker for, wherever the library is installed. The number
/// grows when such a program would have to be compiled anew, and only then.
const SONAME: &str = "libpsc.so.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    // libcurl may leave a resolver thread behind when a hanging look-up is cancelled. It runs in libcurl's code, which
    // must not be unmapped under it; libcurl stays as long as libpsc.so does.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    link_by_soname(Path::new(&out));
}

/// Puts a link of that name beside the libpsc.so that cargo is about to make, so that what is linked with it runs from there.
fn link_by_soname(out: &Path) {
    let build = out.ancestors().find(|dir| dir.ends_with("build"));
    let profile = build
        .and_then(Path::parent)
        .expect("OUT_DIR lies below PROFILE/build");
    let link = profile.join(SONAME);
    let leads_there = || std::fs::read_link(&link).is_ok_and(|to| to == Path::new("libpsc.so"));
    if leads_there() {
        return;
    }
    let _ = std::fs::remove_file(&link);
    // Another build in the same directory may have made it meanwhile.
    if let Err(error) = std::os::unix::fs::symlink("libpsc.so", &link) {
        assert!(leads_there(), "{}: {error}", link.display());
    }
}
