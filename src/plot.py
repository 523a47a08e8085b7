"""Step `plot`: tables of all runs, claims with verdicts, headline metrics, figures and the gallery page."""

from vi_simsiam.config.schema import parse
from vi_simsiam.core.command import job_arguments, run
from vi_simsiam.core.files import replacing, write_csv, write_json
from vi_simsiam.core.record import RunRecord, new_result
from vi_simsiam.report.claim_rows import check_claims
from vi_simsiam.report.claims import claims_table, findings
from vi_simsiam.report.figures.draw import draw_figures, figure_functions
from vi_simsiam.report.gallery.page import write_gallery
from vi_simsiam.report.leaderboard import add_neighbour_consistency, leaderboard_table
from vi_simsiam.report.reliability import reliability_warnings
from vi_simsiam.report.runs import open_runs, verify
from vi_simsiam.report.summary import summary_text
from vi_simsiam.report.tables import headline, measures_table, quantiles_table, ranking_table, summary_table


def main() -> None:
    parser = job_arguments(__doc__, "data", "results", "out", job=())
    parser.add_argument("--runs", nargs="+", required=True, metavar="DATASET/METHOD/seedK", help="what to show")
    args = parser.parse_args()
    params = parse("plot", args.params)
    check_claims()
    figures = figure_functions()  # first, because it raises for a row without a function

    runs = open_runs(args.runs, args.data, args.results)
    verify(runs)
    add_neighbour_consistency(runs)
    folders = [args.data / run.dataset for run in runs]
    folders += [run.path(step, "") for run in runs for step in ("pretrain", "probe", "uncertainty")]
    made = RunRecord("plot", args.params, folders)
    tables = {
        "summary": summary_table(runs),
        "measures": measures_table(runs),
        "quantiles": quantiles_table(runs, params.quantiles),
        "claims": claims_table(findings(runs, params.margin)),
        "leaderboard": leaderboard_table(runs),
        "ranking": ranking_table(runs),
    }
    with new_result(args.out) as out:
        for name, table in tables.items():
            # Six digits: finer than any interval here, without rounding errors in the last digits.
            write_csv(out / f"{name}.csv", table, 6)
        with replacing(out / "summary.txt") as temporary:
            text = summary_text(tables["summary"], tables["claims"], reliability_warnings(runs).values(), args.out)
            temporary.write_text(text, encoding="utf-8")
        write_json(out / "metrics.json", headline(runs))
        draw_figures(figures, runs, params, out / "figures")
        write_gallery(runs, out / "gallery.html")
        made.write(out, runs=sorted(args.runs))


if __name__ == "__main__":
    run(main)
