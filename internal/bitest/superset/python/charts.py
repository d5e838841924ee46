"""The five charts, each with the SQL that must give the same rows without Superset."""

import dataclasses
import datetime
import json


@dataclasses.dataclass
class Chart:
    title: str
    view: str
    kind: str  # Superset's viz_type
    form: dict  # what a user would choose in the chart's form
    query: dict  # the query that Superset's pages make of that form
    sql: str  # the same question to ClickHouse
    columns: list  # the result's columns in the order of sql
    width: int = 6  # of the dashboard's 12 columns

    def definition(self, dataset, dashboard):
        """The fields of Superset's resource."""
        source = {"id": dataset, "type": "table"}
        form = {"datasource": f"{dataset}__table", "viz_type": self.kind, **self.form}
        context = {"datasource": source, "queries": [self.query], "result_format": "json", "result_type": "full"}
        return {
            "slice_name": self.title,
            "viz_type": self.kind,
            "datasource_id": dataset,
            "datasource_type": "table",
            "params": json.dumps(form),
            "query_context": json.dumps({**context, "form_data": form}),
            "dashboards": [dashboard],
        }


def charts(begin, end):
    """All five, of the days from begin until end, exclusive: both as 2026-11-26."""

    def by_day(title, view, kind, metric, column, group, at="window_start", **form):
        aggregate, label = metric
        period = f"{at} >= '{begin} 00:00:00' AND {at} < '{end} 00:00:00'"
        return Chart(
            title=title,
            view=view,
            kind=kind,
            form={
                "x_axis": at,
                "time_grain_sqla": "P1D",
                "metrics": [_metric(aggregate, column, label)],
                "groupby": [group],
                "adhoc_filters": [_between(at, begin, end)],
                "row_limit": 10000,
                "show_legend": True,
                "x_axis_time_format": "%d %b",
                "y_axis_format": "SMART_NUMBER",
                "rich_tooltip": True,
                **form,
            },
            query={
                "columns": [_day(at), group],
                "metrics": [_metric(aggregate, column, label)],
                "filters": [{"col": at, "op": "TEMPORAL_RANGE", "val": f"{begin} : {end}"}],
                "row_limit": 10000,
            },
            sql=f"SELECT {at}, {group}, {aggregate}({column}) FROM {view} WHERE {period} GROUP BY ALL",
            columns=[at, group, label],
        )

    return [
        by_day("Active users by segment", "usage_day", "echarts_timeseries_line", ("SUM", "Active users"), "active_users", "segment"),
        by_day("Mean health by segment", "health_day", "echarts_timeseries_line", ("AVG", "Score"), "score", "segment"),
        by_day("NPS of 28 days by segment", "segment_sentiment_28d", "echarts_timeseries_line", ("MAX", "NPS"), "nps", "segment", "window_end"),
        by_day("Uses of each feature", "features_day", "echarts_timeseries_bar", ("SUM", "Uses"), "uses", "feature", stack="Stack"),
        _portfolio(),
    ]


def _portfolio():
    columns = [
        "account_name", "plan", "segment", "seats", "active_users_28d", "seat_utilization", "engagement",
        "events_7d_trend", "tickets_open", "days_since_value",
    ]  # fmt: skip
    return Chart(
        title="Portfolio",
        view="portfolio",
        kind="table",
        form={
            "query_mode": "raw",
            "all_columns": columns,
            "order_by_cols": ['["active_users_28d", false]'],
            "row_limit": 10000,
            "server_page_length": 10,
            "table_timestamp_format": "smart_date",
            "column_config": {c: {"d3NumberFormat": ".2f"} for c in ("seat_utilization", "engagement", "events_7d_trend")},
        },
        query={"columns": columns, "metrics": [], "orderby": [["active_users_28d", False]], "row_limit": 10000},
        sql=f"SELECT {', '.join(columns)} FROM portfolio",
        columns=columns,
        width=12,
    )


def _metric(aggregate, column, label):
    return {"expressionType": "SIMPLE", "aggregate": aggregate, "column": {"column_name": column}, "label": label}


def _day(name):
    return {"label": name, "sqlExpression": name, "expressionType": "SQL", "columnType": "BASE_AXIS", "timeGrain": "P1D"}


def _between(name, begin, end):
    return {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "subject": name,
        "operator": "TEMPORAL_RANGE",
        "comparator": f"{begin} : {end}",
    }


def layout(made):
    """Superset's position_json of a dashboard: two charts a row, wide ones alone."""
    rows, used = [[]], 0
    for chart, number in made:
        if used + chart.width > 12:
            rows.append([])
            used = 0
        rows[-1].append((chart, number))
        used += chart.width
    parts = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": "Tidemark"}},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "parents": ["ROOT_ID"], "children": [f"ROW-{i}" for i in range(len(rows))]},
    }
    for i, row in enumerate(rows):
        above = ["ROOT_ID", "GRID_ID"]
        children = [f"CHART-{number}" for _, number in row]
        background = {"background": "BACKGROUND_TRANSPARENT"}
        parts[f"ROW-{i}"] = {"type": "ROW", "id": f"ROW-{i}", "parents": above, "children": children, "meta": background}
        for chart, number in row:
            meta = {"chartId": number, "sliceName": chart.title, "width": chart.width, "height": 40}
            parts[f"CHART-{number}"] = {
                "type": "CHART", "id": f"CHART-{number}", "parents": [*above, f"ROW-{i}"], "children": [], "meta": meta,
            }  # fmt: skip
    return parts


def plain(row):
    """A row as texts that compare: times in milliseconds, as Superset gives them, floats to 9 digits."""
    return [_text(value) for value in row]


def _text(value):
    if value is None:
        return "NULL"
    if isinstance(value, datetime.datetime):
        return str(int(value.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000))
    return f"{value:.9g}" if isinstance(value, float) and not value.is_integer() else str(int(value)) if isinstance(value, float) else str(value)
