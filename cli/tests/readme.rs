//! The commands of README.md print what it says. `TRYCMD=overwrite` blesses what they print now.

#[test]
fn the_commands_of_the_readme() {
    // The commands name files from the project's root.
    std::env::set_current_dir("..").expect("the project's root");
    trycmd::TestCases::new().case("README.md");
}
