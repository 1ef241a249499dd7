"""List file -> rows: CSV, Parquet, Excel; which column is which. Never touches the database."""
