//! No file of the source imports, by any way round, a file that imports it: whoever opens one can read on in one direction.
//!
//! What counts, the strictest reading that text allows: each file is a place of its own, a parent module (`mod.rs`) as much as its
//! children. An import is a path that leads to another file, in a `use` (a re-export, too) or anywhere in the code, through
//! `crate::`, `super::`, `self::`, a child's name or a name that a `use` has brought in. The line `mod child;` is none: it says that
//! the file is there. So a child may use what its parent defines, or the parent what the child does, but not both. Code under
//! `#[cfg(test)]` does not count. Methods are not seen: where they are defined is not written where they are called.
//!
//! The same holds one floor up, for what lies directly in the source folder; a file and the folder of its name are one there.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn no_file_imports_who_imports_it() {
    let mut found = String::new();
    for source in ["src", "refserver/src", "testkit/src"] {
        let imports = Source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source)).imports();
        let is_read = imports.values().any(|targets| !targets.is_empty());
        assert!(is_read, "{source}: nothing was read");
        for (what, imports) in [("files", &imports), ("folders", &folders(&imports))] {
            for circle in circles(imports) {
                let _ = writeln!(found, "{source}: a circle of {} {what}:", circle.len());
                found.push_str(&shown(&circle, imports));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

/// Each way to import is seen, and nothing else.
#[test]
fn a_planted_circle_is_found() {
    let ways = [
        ("use crate::b::Thing;", true),
        ("use super::b::{self, Thing};", true),
        ("use crate::{b as other, c};", true),
        ("pub use crate::b::*;", true),
        ("fn f() { crate::b::thing() }", true),
        (
            "use crate::c; fn f() -> c::inner::Thing { c::inner::thing() }",
            true,
        ),
        ("// use crate::b::Thing;", false),
        (
            "const TEXT: &str = \"crate::b::Thing\"; const MARK: char = '\"'; fn f() { b::g() }",
            false,
        ),
        ("#[cfg(test)]\nmod tests { use crate::b::Thing; }", false),
        ("fn f(a: &str) { a.b::<Thing>(); std::b::f() }", false),
    ];
    for (code, is_circle) in ways {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("lib.rs", "mod a; mod b; mod c;");
        write("a.rs", code);
        write("b.rs", "use crate::a::f;");
        write("c/mod.rs", "pub mod inner;");
        write("c/inner.rs", "use crate::b::Thing;");
        let found = circles(&Source::read(dir.path()).imports());
        assert_eq!(!found.is_empty(), is_circle, "{code}: {found:?}");
    }
    // A parent and its child.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    fs::write(dir.path().join("lib.rs"), "mod a;").unwrap();
    for (parent, child, is_circle) in [
        ("mod child;", "use super::Thing;", false),
        ("mod child; use child::Thing;", "", false),
        (
            "mod child; pub use child::Thing;",
            "use super::Other;",
            true,
        ),
        ("mod child; fn f() { child::f() }", "use super::*;", true),
    ] {
        fs::write(dir.path().join("a/mod.rs"), parent).unwrap();
        fs::write(dir.path().join("a/child.rs"), child).unwrap();
        let found = circles(&Source::read(dir.path()).imports());
        assert_eq!(!found.is_empty(), is_circle, "{parent} {child}");
    }
}

/// What each file imports; or each folder.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// A module's path, from the crate's root.
type Module = Vec<String>;

struct Source {
    root: PathBuf,
    files: HashMap<Module, PathBuf>,
}

impl Source {
    fn read(root: &Path) -> Source {
        let mut source = Source {
            root: root.to_owned(),
            files: HashMap::new(),
        };
        source.add(root, &Module::new());
        source
    }

    /// Only what is declared, and not for tests alone.
    fn add(&mut self, folder: &Path, module: &Module) {
        let file = ["lib.rs", "mod.rs"]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|path| path.exists());
        let file = match (file, module.last()) {
            (Some(file), _) => file,
            (None, Some(name)) => folder.with_file_name(format!("{name}.rs")),
            (None, None) => folder.join("main.rs"),
        };
        let Ok(text) = fs::read_to_string(&file) else {
            return;
        };
        self.files.insert(module.clone(), file);
        for child in children(&tokens(&text)) {
            let mut path = module.clone();
            path.push(child.clone());
            self.add(&folder.join(child), &path);
        }
    }

    fn name(&self, module: &Module) -> String {
        let path = self.files[module].strip_prefix(&self.root).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, file) in &self.files {
            let tokens = tokens(&fs::read_to_string(file).unwrap());
            let targets = paths(&tokens, module)
                .iter()
                .map(|path| self.file_of(path))
                .filter(|target| target != module)
                .map(|target| self.name(&target))
                .collect();
            imports.insert(self.name(module), targets);
        }
        imports
    }

    /// The innermost module on a path.
    fn file_of(&self, path: &Module) -> Module {
        let mut path = path.clone();
        while !self.files.contains_key(&path) {
            path.pop();
        }
        path
    }
}

/// All paths into the crate, from its root.
fn paths(tokens: &[String], module: &Module) -> Vec<Module> {
    let children = children(tokens);
    let mut names: HashMap<String, Module> = HashMap::new();
    for child in children {
        let mut path = module.clone();
        path.push(child.clone());
        names.insert(child, path);
    }
    let mut found = Vec::new();
    let mut at = 0;
    // A name may be used above the line that brings it in.
    let mut rest = Vec::new();
    while at < tokens.len() {
        if tokens[at] == "use" {
            let end = at
                + tokens[at..]
                    .iter()
                    .position(|token| token == ";")
                    .unwrap_or(0);
            let mut uses = Vec::new();
            let _ = use_tree(&tokens[at + 1..end.max(at + 1)], &[], &mut uses);
            for (path, name) in uses {
                if let Some(path) = resolve(&path, module, &names) {
                    names.insert(name, path.clone());
                    found.push(path);
                }
            }
            at = end;
        } else {
            rest.push(tokens[at].clone());
        }
        at += 1;
    }
    for start in 0..rest.len() {
        let continues = start > 0 && matches!(rest[start - 1].as_str(), "::" | ".");
        if continues
            || !is_name(&rest[start])
            || rest.get(start + 1).is_none_or(|next| next != "::")
        {
            continue;
        }
        let mut path = vec![rest[start].clone()];
        let mut at = start + 1;
        while rest.get(at).is_some_and(|token| token == "::")
            && rest.get(at + 1).is_some_and(|token| is_name(token))
        {
            path.push(rest[at + 1].clone());
            at += 2;
        }
        found.extend(resolve(&path, module, &names));
    }
    found
}

fn resolve(path: &[String], module: &Module, names: &HashMap<String, Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Module::new(),
        "self" => module.clone(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        name => names.get(name)?.clone(),
    };
    for segment in rest {
        match segment.as_str() {
            "super" => drop(base.pop()),
            name => base.push(name.to_owned()),
        }
    }
    Some(base)
}

/// The paths of a `use`, each with the name that it brings in; returns what follows.
fn use_tree<'a>(
    tokens: &'a [String],
    prefix: &[String],
    uses: &mut Vec<(Module, String)>,
) -> &'a [String] {
    let mut path = prefix.to_vec();
    let mut tokens = tokens;
    while let Some((token, rest)) = tokens.split_first() {
        tokens = rest;
        match token.as_str() {
            "::" => {}
            "{" => {
                while tokens.first().is_some_and(|token| token != "}") {
                    tokens = use_tree(tokens, &path, uses);
                    if tokens.first().is_some_and(|token| token == ",") {
                        tokens = &tokens[1..];
                    }
                }
                return tokens.get(1..).unwrap_or_default();
            }
            "self" if !path.is_empty() => {}
            "*" => break,
            "as" => {
                uses.push((path, tokens.first().cloned().unwrap_or_default()));
                return tokens.get(1..).unwrap_or_default();
            }
            name => path.push(name.to_owned()),
        }
        if tokens
            .first()
            .is_some_and(|token| token == "," || token == "}")
        {
            break;
        }
    }
    let name = path.last().cloned().unwrap_or_default();
    uses.push((path, name));
    tokens
}

/// The modules that a file declares.
fn children(tokens: &[String]) -> Vec<String> {
    let declared = |three: &[String]| three[0] == "mod" && three[2] == ";";
    tokens
        .windows(3)
        .filter(|three| declared(three))
        .map(|three| three[1].clone())
        .collect()
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single marks, without what is for tests alone.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    add_tokens(text.parse().expect("Rust"), &mut tokens);
    tokens
}

fn add_tokens(stream: TokenStream, tokens: &mut Vec<String>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Group(group) if tokens.last().is_some_and(|last| last == "#") => {
                tokens.pop();
                if group.stream().to_string().replace(' ', "") == "cfg(test)" {
                    // The item that it belongs to.
                    for tree in trees.by_ref() {
                        match tree {
                            TokenTree::Punct(end) if end.as_char() == ';' => break,
                            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => break,
                            _ => {}
                        }
                    }
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    _ => ("(", ")"),
                };
                tokens.push(open.to_owned());
                add_tokens(group.stream(), tokens);
                tokens.push(close.to_owned());
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Joint => {
                trees.next();
                tokens.push("::".to_owned());
            }
            TokenTree::Literal(_) => tokens.push("0".to_owned()),
            other => tokens.push(other.to_string()),
        }
    }
}

/// Between the entries of the source folder.
fn folders(imports: &Imports) -> Imports {
    let entry = |file: &String| {
        let first = file.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    };
    let mut folders = Imports::new();
    for (file, targets) in imports {
        let from = entry(file);
        let others = targets.iter().map(entry).filter(|to| *to != from);
        folders.entry(from.clone()).or_default().extend(others);
    }
    folders
}

/// Sets of files each of which leads to every other one.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut left: Vec<&String> = imports[from].iter().collect();
        while let Some(next) = left.pop() {
            if seen.insert(next) {
                left.extend(imports.get(next).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reach(file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, others) in &reached {
        if others.contains(file) {
            let mutual = others
                .iter()
                .filter(|other| reached[**other].contains(file));
            circles.insert(mutual.map(|other| (*other).clone()).collect());
        }
    }
    circles.into_iter().collect()
}

fn shown(circle: &[String], imports: &Imports) -> String {
    let mut text = String::new();
    for file in circle {
        let inside: Vec<&str> = imports[file]
            .iter()
            .filter(|to| circle.contains(to))
            .map(String::as_str)
            .collect();
        let _ = writeln!(text, "    {file} imports {}", inside.join(", "));
    }
    text
}
