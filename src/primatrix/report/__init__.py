"""One HTML file that shows what a prediction run found; it opens offline and asks nothing of any network.

counts       how many clips hold a species, from probabilities, with an interval
tallies      clips, failures, species, sites, hours of the day
watching     hours left to watch, and what they keep
strips       which clips the contact sheets show
pictures     their filmstrips, decoded in worker processes
sheets       strips with what is said beside them
charts       inline SVG
figures      what was counted, as charts
accuracy     how good the model is on labelled clips
learning     how the model was trained
page         all of it in page.html with style.css
"""

from primatrix.report.page import ReportRun, ReportSpec, write_report

__all__ = ["ReportRun", "ReportSpec", "write_report"]
