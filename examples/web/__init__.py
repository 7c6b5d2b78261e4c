"""The page that `iqa-zoo web` serves; installed as the package `iqa_zoo.web_page`."""
