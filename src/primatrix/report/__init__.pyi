from .counts import estimate_count as estimate_count
from .page import ReportSpec as ReportSpec
from .page import write_report as write_report
