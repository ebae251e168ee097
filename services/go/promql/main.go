// Reads rule files (arguments) and queries (standard input, one a line) as Prometheus does; says what is wrong.
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	wrong := 0
	for _, path := range os.Args[1:] {
		if _, errs := rulefmt.ParseFile(path); len(errs) > 0 {
			for _, err := range errs {
				fmt.Println(err)
				wrong++
			}
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if _, err := parser.ParseExpr(lines.Text()); err != nil {
			fmt.Printf("%s: %v\n", lines.Text(), err)
			wrong++
		}
	}
	if wrong > 0 {
		os.Exit(1)
	}
}
