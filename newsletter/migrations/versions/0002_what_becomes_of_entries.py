"""What becomes of entries: the grace period, withdrawn posts, stories told twice, feeds in trouble"""

from alembic import op
import sqlalchemy as sa


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


# Columns are only added, each by itself: a table that SQLite has to make anew is dropped on the way, and what refers to
# its rows goes with it.
def columns():
    return [
        ('mailing_lists', sa.Column('grace_minutes', sa.Integer(), nullable=False, server_default='10')),
        ('feeds', sa.Column('body_digest', sa.String(length=64), nullable=False, server_default='')),
        ('feeds', sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True)),
        ('feeds', sa.Column('told_at', sa.DateTime(timezone=True), nullable=True)),
        ('feeds', sa.Column('leaves_out', sa.JSON(), nullable=False, server_default='[]')),
        ('feeds', sa.Column('page_pictures', sa.Boolean(), nullable=False, server_default=sa.false())),
        ('entries', sa.Column('matures_at', sa.DateTime(timezone=True), nullable=True)),
        ('entries', sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True)),
        ('entries', sa.Column('by_hand', sa.Boolean(), nullable=False, server_default=sa.false())),
        ('entries', sa.Column('shown_in_id', sa.Integer(), nullable=True)),
    ]


def upgrade() -> None:
    for table, column in columns():
        op.add_column(table, column)


def downgrade() -> None:
    for table, column in reversed(columns()):
        op.drop_column(table, column.name)
