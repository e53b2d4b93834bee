// Lists what the packages of a Go tree declare: a line per function and per named type, as `cargo xtask library` reads them.
//
//	package<TAB>strings
//	func<TAB>Index<TAB>(s string, substr string) int
//	func<TAB>(*Builder).Grow<TAB>(n int)
//	type<TAB>Duration<TAB>int64
//	alias<TAB>FileInfo<TAB>io/fs.FileInfo
package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"sort"
	"strings"
)

type importer struct {
	ctx  build.Context
	fset *token.FileSet
	done map[string]*types.Package
}

func (im *importer) Import(path string) (*types.Package, error) { return im.ImportFrom(path, "", 0) }

func (im *importer) ImportFrom(path, dir string, _ types.ImportMode) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	found, err := im.ctx.Import(path, dir, 0)
	if err != nil {
		return nil, err
	}
	if pkg := im.done[found.ImportPath]; pkg != nil {
		return pkg, nil
	}
	var files []*ast.File
	for _, name := range found.GoFiles {
		file, err := parser.ParseFile(im.fset, found.Dir+"/"+name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	conf := types.Config{
		Importer: im, IgnoreFuncBodies: true, FakeImportC: true,
		Sizes: types.SizesFor("gc", "amd64"), Error: func(error) {},
	}
	pkg, _ := conf.Check(found.ImportPath, im.fset, files, nil)
	im.done[found.ImportPath] = pkg
	return pkg, nil
}

func qualifier(pkg *types.Package) string { return pkg.Path() }

func signature(sig *types.Signature) string {
	plain := types.NewSignatureType(nil, nil, nil, sig.Params(), sig.Results(), sig.Variadic())
	return strings.TrimPrefix(types.TypeString(plain, qualifier), "func")
}

// methods is an interface type with the names of its methods, embedded ones' among them.
func methods(ty *types.Interface) string {
	var names []string
	for i := 0; i < ty.NumMethods(); i++ {
		names = append(names, ty.Method(i).Name()+"()")
	}
	return "interface{" + strings.Join(names, "; ") + "}"
}

// declared prints a named type and its methods. Methods of generic types have no fixed signature.
func declared(name *types.TypeName, exported bool) {
	named, ok := name.Type().(*types.Named)
	if !ok || named.TypeParams().Len() > 0 {
		return
	}
	switch under := named.Underlying().(type) {
	case *types.Struct:
	case *types.Interface:
		if under.NumMethods() == 0 {
			fmt.Printf("type\t%s\tany\n", name.Name())
		} else {
			fmt.Printf("type\t%s\t%s\n", name.Name(), methods(under))
		}
	default:
		fmt.Printf("type\t%s\t%s\n", name.Name(), types.TypeString(under, qualifier))
	}
	var lines []string
	for i := 0; i < named.NumMethods(); i++ {
		method := named.Method(i)
		if exported && !method.Exported() {
			continue
		}
		sig := method.Type().(*types.Signature)
		receiver := name.Name()
		if _, pointer := sig.Recv().Type().(*types.Pointer); pointer {
			receiver = "(*" + receiver + ")"
		}
		lines = append(lines, fmt.Sprintf("func\t%s.%s\t%s\n", receiver, method.Name(), signature(sig)))
	}
	sort.Strings(lines)
	fmt.Print(strings.Join(lines, ""))
}

// target is what an alias stands for, however the release prints it; aliases with parameters are of no use here.
func target(ty types.Type) string {
	named, ok := types.Unalias(ty).(*types.Named)
	if !ok {
		return types.TypeString(types.Unalias(ty), qualifier)
	}
	if named.TypeArgs().Len() > 0 || named.Obj().Pkg() == nil {
		return types.TypeString(named, qualifier)
	}
	return named.Obj().Pkg().Path() + "." + named.Obj().Name()
}

func main() {
	exported := len(os.Args) < 2 || os.Args[1] != "all"
	ctx := build.Default
	ctx.CgoEnabled = false
	list := exec.Command(ctx.GOROOT+"/bin/go", "list", "std")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	im := &importer{ctx, token.NewFileSet(), map[string]*types.Package{}}
	for _, path := range strings.Fields(string(out)) {
		if path == "unsafe" {
			continue
		}
		pkg, err := im.ImportFrom(path, ctx.GOROOT+"/src", 0)
		if err != nil {
			fmt.Fprintln(os.Stderr, path, err)
			os.Exit(1)
		}
		fmt.Printf("package\t%s\n", path)
		for _, name := range pkg.Scope().Names() {
			switch object := pkg.Scope().Lookup(name).(type) {
			case *types.Func:
				sig := object.Type().(*types.Signature)
				if (object.Exported() || !exported) && sig.TypeParams().Len() == 0 {
					fmt.Printf("func\t%s\t%s\n", name, signature(sig))
				}
			case *types.TypeName:
				if object.IsAlias() {
					fmt.Printf("alias\t%s\t%s\n", name, target(object.Type()))
				} else {
					declared(object, exported)
				}
			}
		}
	}
}
