//! `include/psc.h` is what cbindgen makes of the source. `make header` writes it.

use std::path::Path;

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config =
        cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let number = psc::version::NUMBER;
    config.header = Some(include_str!("header-preamble.h").trim_end().to_owned());
    config.after_includes = Some(format!(
        "/* The version of this header; psc_version() is that of the library that runs. */\n\
         #define PSC_VERSION \"{}\"\n\
         /* 0xMMmmpp */\n\
         #define PSC_VERSION_NUMBER 0x{number:06x}u",
        psc::version::VERSION
    ));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in [
        "codes",
        "handle",
        "log",
        "checker",
        "config",
        "views",
        "last_error",
        "result",
        "on_result",
        "schedule",
        "state_dir",
        "strings",
    ] {
        builder = builder.with_src(root.join(format!("src/ffi/{file}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().expect("the header").write(&mut header);
    let header = String::from_utf8(header).expect("UTF-8");
    let lines: Vec<String> = header.split('\n').map(safe_macro).collect();
    lines.join("\n")
}

/// A negative number in parentheses, so that it stays one wherever the macro stands; a flag without a sign.
fn safe_macro(line: &str) -> String {
    if line.starts_with("#define PSC_REPLACE ") {
        return format!("{line}u");
    }
    match line.rsplit_once(" -") {
        Some((define, number)) if define.starts_with("#define ") => format!("{define} (-{number})"),
        _ => line.to_owned(),
    }
}

#[test]
fn the_header_is_what_the_source_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/psc.h");
    let header = generated();
    if std::env::var_os("PSC_WRITE_HEADER").is_some() {
        std::fs::write(&path, &header).expect("include/psc.h");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == header,
        "include/psc.h differs from the source: run `make header`"
    );
}
