//! Link options of libpsc.so, and a look at the libcurl that is built with it.

use std::path::Path;
use std::process::Command;

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
    if let Some(problem) = problem_of_built_libcurl() {
        println!("cargo::error={problem}");
    }
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

/// Whether a libcurl that `curl-sys` has built from source waits with select(2): .cargo/config.toml was not in effect, or is not
/// enough for a newer `curl-sys`.
fn problem_of_built_libcurl() -> Option<String> {
    let is_built = std::env::var("DEP_CURL_STATIC").as_deref() == Ok("1");
    let root = std::env::var("DEP_CURL_ROOT").ok().filter(|_| is_built)?;
    let archive = Path::new(&root).join("build/libcurl.a");
    let nm = Command::new("nm")
        .arg("--undefined-only")
        .arg(&archive)
        .output();
    let symbols = match nm {
        Ok(done) if done.status.success() => String::from_utf8_lossy(&done.stdout).into_owned(),
        other => return Some(format!("nm cannot read {}: {other:?}", archive.display())),
    };
    // With _FORTIFY_SOURCE the second.
    let polls = symbols
        .lines()
        .any(|line| line.ends_with(" U poll") || line.ends_with(" U __poll_chk"));
    (!polls).then(|| {
        "this libcurl would wait with select(2), and no host with more than 1,024 descriptors could check: build in psc's \
         own directory, whose .cargo/config.toml sets HOST_CFLAGS and TARGET_CFLAGS, or set them as it does, after \
         `cargo clean -p curl-sys` if it was built before"
            .to_owned()
    })
}
