//! Object files: every function of every release's object, with its lines and signature.

use std::path::PathBuf;

use goemu_loader::Image;

fn objects() -> Vec<PathBuf> {
    let folder = PathBuf::from("../testdata/objects");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "o")).collect();
    paths.sort();
    paths
}

#[test]
fn functions_have_names_lines_and_signatures() {
    let expected = [
        ("main.c", "func() (i int)", 7),
        ("main.f1", "func() (result int)", 15),
        ("main.f3", "func() (r int)", 30),
    ];
    let paths: Vec<PathBuf> =
        objects().into_iter().filter(|path| path.to_string_lossy().contains("deferr-")).collect();
    assert!(paths.len() >= 24);
    for path in paths {
        let image = Image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (name, signature, line) in expected {
            let funcs = image.funcs_named(name);
            let [func] = funcs[..] else { panic!("{}: {} functions {name}", path.display(), funcs.len()) };
            let found =
                image.signature(&func).unwrap_or_else(|error| panic!("{} {name}: {error}", path.display()));
            // Go 1.15 to 1.18 write no debug information unless they are told the package's path.
            let untold = ["1.15.15", "1.16.15", "1.17.13", "1.18.10"]
                .iter()
                .any(|go| path.to_string_lossy().contains(go));
            let expected = if untold { None } else { Some(signature) };
            assert_eq!(found.map(|s| s.to_string()).as_deref(), expected, "{} {name}", path.display());
            let place = func.line_at(func.entry()).map(|place| (place.file.rsplit('/').next(), place.line));
            assert_eq!(place, Some((Some("deferr.go"), line)), "{} {name}", path.display());
            assert!(func.deferreturn().is_some_and(|pc| pc > func.entry() && pc < func.end()));
            assert!(func.sp_delta(func.entry()) == Some(0), "{} {name}", path.display());
        }
    }
}
